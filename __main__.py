"""What Pulumi runs: the stack's name says which environment, everything else is in stacks/."""

from stacks.environment import deploy

deploy()
