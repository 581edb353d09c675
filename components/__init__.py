"""How Pulumi makes what `sluice.render` decided: one ComponentResource a concept. Nothing here decides anything."""
