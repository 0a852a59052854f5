# The study's jobs, from the checked parameters; what every job's shell starts with; which words a path may hold.
import sys

sys.path.insert(0, f"{workflow.basedir}/src")

from codeii.workflow.rules import shell_prefix, study_of

study = study_of(config, workflow)
shell.prefix(shell_prefix())


report: "../report/workflow.rst"


wildcard_constraints:
    source="[a-z0-9_]+",
    version="[A-Za-z0-9._-]+",
    preprocessing="[a-z0-9_]+",
    task="[a-z0-9_]+",
    experiment="[a-z0-9_]+",
    model="[a-z0-9_]+",
    variant="[a-z0-9_]+-(f[0-9.e-]+|n[0-9]+)",
    seed="[0-9]+",
    shard="[0-9]+",
    name="[a-z0-9_]+",
