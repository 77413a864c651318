"""What the Snakefile asks: the config, checked, and the plan made of it. No TensorFlow, and no step imports it.

- `plan` is what the Snakefile asks, with a job's wildcards; it answers from the files below.
- `config` is the checked config: which setting wins, and what is refused; `settings` reads, merges and checks YAML.
- `experiments` is what a job is about: its experiment, the fit of it, and the backbone.
- `files` are those that each rule reads, `params` the settings of each rule, `fingerprint` a digest of its code.
- `machines` shares out cores and GPUs.
- `behind` is what a score depends on, and so whether it is still true.
- `summary` is the last lines of a run.
"""
