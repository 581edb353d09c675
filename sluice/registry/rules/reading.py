"""The pages of the rules that are held while a file is read and its shape is checked, and of those about settings.

They are found elsewhere: by the reader of YAML, by the schemas and by the settings. Here stands what is said of them.
"""

from __future__ import annotations

from sluice.registry.rules.rule import Rule

RULES = (
    Rule(
        "SL001",
        "Every file is there, can be read, and is read by somebody",
        "A registry is a folder with models.yaml and rollouts/ENVIRONMENT.yaml, and evidence/NAME.yaml beside\n"
        "them. A file of another name in rollouts/ or evidence/ is refused, because whoever put it there believes\n"
        "that it does something.",
        "registry/rollouts/production.yml",
        "registry/rollouts/production.yaml",
    ),
    Rule(
        "SL002",
        "A file has a size that people can review",
        "Size, depth and the length of lines and numbers are bounded, so that no file can hold up a check or fill its\n"
        "memory. Keep generated data out of the registry.",
        "models: {a: {b: {c: {d: ...}}}}     # and so on, a hundred times",
        "models: {qa-20251031: {provider: mistral, ...}}",
    ),
    Rule(
        "SL003",
        "A file is text in UTF-8",
        "Control characters, marks that cannot be seen and bytes that are no UTF-8 are refused: what a reviewer\n"
        "sees must be what is read. Save the file as UTF-8, and take the character out.",
        'summary: "unit\\u0000tests"',
        "summary: unit tests",
    ),
    Rule(
        "SL004",
        "A file is YAML",
        "The text cannot be read as YAML. The place is where reading stopped; the mistake is there or just above,\n"
        "most often a tab, a bracket that was not closed or a colon without a space behind it.",
        "baseline: [gpt-4o, claude-sonnet-4",
        "baseline: [gpt-4o, claude-sonnet-4]",
    ),
    Rule(
        "SL005",
        "No key is written twice",
        "YAML libraries keep one of two equal keys and say nothing; which one differs between them. Keep one of\nthem.",
        "qa: {weight: 10, weight: 50}",
        "qa: {weight: 10}",
    ),
    Rule(
        "SL006",
        "Anchors, aliases and merge keys stay few",
        "A small number may save repetition. More, or some that repeat each other, are refused: ten lines of them\n"
        "can unfold into gigabytes. What is the same for every agent belongs under `defaults`.",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]     # and so on",
        "defaults: {ladder: report}",
    ),
    Rule(
        "SL007",
        "Values are plain, keys are names",
        "A tag can make a program build an object of its own; a key that is a list or a mapping is no name.\n"
        "Neither is needed.",
        "cost: !!python/object:os.system 1.20",
        "cost: 1.20",
    ),
    Rule(
        "SL008",
        "A file holds one document",
        "What follows a second `---` would be read by some programs and passed over by others.",
        "version: 1\n---\nversion: 1",
        "version: 1",
    ),
    Rule(
        "SL009",
        "A number means the same to every reader",
        "010 is eight to one reader and ten to another; NaN, infinity and numbers beyond what JSON holds are none\n"
        "at all. Write numbers in decimal, and put what is meant as text in quotes.",
        "weight: 010",
        "weight: 10",
    ),
    Rule(
        "SL010",
        "A file is not empty",
        "An empty file declares nothing, and would take every agent away.",
        "# everything was commented out",
        "version: 1",
    ),
    Rule(
        "SL020",
        "Every field is known",
        "A field that is not in the schema is refused at every level, because a misspelt one would do nothing and\n"
        "say nothing. docs/registry.md lists them all.",
        "qa: {candidate: qa-20251031, wieght: 10}",
        "qa: {candidate: qa-20251031, weight: 10}",
    ),
    Rule(
        "SL021",
        "Every field that is needed is there",
        "Some fields are always needed, some beside others: a candidate has a weight.",
        "qa: {candidate: qa-20251031}",
        "qa: {candidate: qa-20251031, weight: 0}",
    ),
    Rule(
        "SL022",
        "A value has its field's type",
        "Text is not a number and a number is not text. `yes` and `no` are text here: write true or false.",
        "enabled: yes",
        "enabled: true",
    ),
    Rule(
        "SL023",
        "A value lies within its field's bounds",
        "The schema gives each field its least and its most, its words or its form; docs/registry.md lists them.",
        "qa: {candidate: qa-20251031, weight: 130}",
        "qa: {candidate: qa-20251031, weight: 100}",
    ),
    Rule(
        "SL024",
        "A name can be a label",
        "Names of agents, models and providers become labels of metrics and of Kubernetes objects: small letters,\n"
        "digits and dashes, in models dots too, at most 63, with a letter or digit at both ends.",
        "models: {QA_2025: {...}}",
        "models: {qa-2025: {...}}",
    ),
    Rule(
        "SL090",
        "Every setting is known",
        "A `sluice:` setting of Pulumi.ENVIRONMENT.yaml is one of those in the schema, or the name of a\n"
        "provider's key.",
        "sluice:namspace: sluice-dev",
        "sluice:namespace: sluice-dev",
    ),
    Rule(
        "SL091",
        "A provider's key is encrypted",
        "A key in plain text is in git for good. Take it out, have the provider replace it if it was ever\n"
        "committed, and set the new one by `pulumi config set --secret`. The value is never printed.",
        "sluice:mistral-api-key: <the key itself>",
        "sluice:mistral-api-key: {secure: v1:...}",
    ),
    Rule(
        "SL092",
        "Production has no stub provider",
        "The stub provider answers with made text, and users would take it for an answer.",
        "sluice:stub_provider: {image: ...}     # in Pulumi.production.yaml",
        "# nothing: production asks the real providers",
    ),
    Rule(
        "SL093",
        "A key is in one place",
        "Where `sluice:secrets` has the keys come from a store, an encrypted one in the file would do nothing,\n"
        "and whoever rotates it would believe that it had.",
        "sluice:mistral-api-key: {secure: v1:...}     # beside sluice:secrets: {from: external, ...}",
        "# nothing: the store has it",
    ),
)
