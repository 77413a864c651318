# From the archive to pixels and embeddings. Everything here depends only on the competition, so all experiments
# share it:
#
#   archive -> download -> index -> pack -> preprocess -> embed
#                            |--> split
#                            `--> ask


rule download:
    """Fetch the archive, check it, and store it as one zip file."""
    input:
        lambda w: plan.archive_file(w.competition),
    output:
        # `update`: if a download fails, the previous archive is kept.
        source=update("data/{competition}/source.zip"),
    log:
        "logs/{competition}/download.log",
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("download", w),
        state=lambda w: plan.archive_state(w.competition),
        code=plan.code("download"),
    script:
        "../scripts/download.py"


rule index:
    """List every photo with its label, split and part; set aside what cannot be read."""
    input:
        source="data/{competition}/source.zip",
    output:
        index="data/{competition}/index.csv",
        quarantine="data/{competition}/quarantine.csv",
        depth="data/{competition}/depth.json",
    log:
        "logs/{competition}/index.log",
    conda:
        "../envs/podium.yaml"
    threads: plan.cores(workflow.cores)
    params:
        settings=lambda w: plan.settings("index", w),
        code=lambda w: plan.code("index", w),
    script:
        "../scripts/index.py"


rule split:
    """Divide the training photos into folds: seeded, stratified, whole groups at a time."""
    input:
        index="data/{competition}/index.csv",
    output:
        folds="data/{competition}/folds{folds}.csv",
    log:
        "logs/{competition}/split-{folds}.log",
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("split", w),
        code=plan.code("split"),
    script:
        "../scripts/split.py"


rule ask:
    """Read what a submission must look like, before anything is trained."""
    input:
        source="data/{competition}/source.zip",
        index="data/{competition}/index.csv",
        quarantine="data/{competition}/quarantine.csv",
    output:
        asked="data/{competition}/asked.json",
    log:
        "logs/{competition}/ask.log",
    priority: 1  # a sample or a form that does not fit is found before hours of training
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("ask", w),
        code=plan.code("ask"),
    script:
        "../scripts/ask.py"


rule pack:
    """Pack one part's photos, still encoded, into a TFRecord file."""
    input:
        source="data/{competition}/source.zip",
        index="data/{competition}/index.csv",
    output:
        records="data/{competition}/records/{part}.tfrecord",
    log:
        "logs/{competition}/pack-{part}.log",
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("pack", w),
        code=lambda w: plan.code("pack", w),
    script:
        "../scripts/pack.py"


rule preprocess:
    """Decode, orient and resize one part's photos, once."""
    input:
        records="data/{competition}/records/{part}.tfrecord",
        depth="data/{competition}/depth.json",
    output:
        pixels="data/{competition}/{size}px/{part}.npy",
    log:
        "logs/{competition}/preprocess-{size}-{part}.log",
    conda:
        "../envs/podium.yaml"
    threads: plan.cores(workflow.cores)
    params:
        settings=lambda w: plan.settings("preprocess", w),
        code=plan.code("preprocess"),
    script:
        "../scripts/preprocess.py"


rule embed:
    """Run one part's photos through a frozen backbone, once for each of the views."""
    input:
        plan.weights,
        pixels="data/{competition}/{size}px/{part}.npy",
        index="data/{competition}/index.csv",
    output:
        embeddings="data/{competition}/{size}px/{backbone}/{views}/{part}.npy",
    log:
        "logs/{competition}/embed-{size}-{backbone}-{views}-{part}.log",
    conda:
        "../envs/podium.yaml"
    threads: plan.gpu_cores(workflow.cores)
    resources:
        gpu=1,
        gpu_memory=plan.gpu_memory,
    params:
        settings=lambda w: plan.settings("embed", w),
        code=lambda w: plan.code("embed", w),
    script:
        "../scripts/embed.py"
