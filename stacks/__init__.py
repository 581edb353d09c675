"""Where: the settings of an environment and which components it gets. The only reader of Pulumi's configuration."""
