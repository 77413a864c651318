# From the archive to pixels and embeddings. Everything here depends only on the competition, so all experiments
# share it:
#
#   archive -> download -> index -> pack -> preprocess -> embed
#                            |--> split
#                            `--> ask
#
# An output that grows with the photos has a digest file, and a rule that reads it is run again only if the digest is
# another one. The file itself is `ancient`: Snakemake does not look at its time, and does not read it.


rule download:
    """Fetch the archive, check it, and store it as one zip file."""
    input:
        ancient(lambda w: plan.archive_file(w.competition)),  # `state` is its content
    output:
        # `update`: if a download fails, the previous archive is kept.
        update(digests("data/{competition}/source.zip")),
        source=update("data/{competition}/source.zip"),
    log:
        "logs/{competition}/download.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("download"),
        runtime=plan.minutes("download"),
    params:
        settings=lambda w: plan.settings("download", w),
        state=lambda w: plan.archive_state(w.competition),
        code=plan.code("download"),
    script:
        "../scripts/download.py"


rule index:
    """List every photo with its label, split and part; set aside what cannot be read."""
    input:
        digests("data/{competition}/source.zip"),
        source=ancient("data/{competition}/source.zip"),
    output:
        digests("data/{competition}/index.csv", "data/{competition}/quarantine.csv", "data/{competition}/features.npy"),
        index="data/{competition}/index.csv",
        quarantine="data/{competition}/quarantine.csv",
        depth="data/{competition}/depth.json",
        features="data/{competition}/features.npy",
        targets=directory("data/{competition}/targets"),
    log:
        "logs/{competition}/index.log",
    conda:
        "../envs/podium.yaml"
    threads: plan.cores(workflow.cores)
    resources:
        mem_mb=plan.memory("index"),
        runtime=plan.minutes("index"),
    params:
        settings=lambda w: plan.settings("index", w),
        code=lambda w: plan.code("index", w),
    script:
        "../scripts/index.py"


rule split:
    """Divide the training photos into folds: seeded, stratified, whole groups at a time."""
    input:
        digests("data/{competition}/index.csv"),
        index=ancient("data/{competition}/index.csv"),
    output:
        digests("data/{competition}/folds{folds}.csv"),
        folds="data/{competition}/folds{folds}.csv",
    log:
        "logs/{competition}/split-{folds}.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("split"),
        runtime=plan.minutes("split"),
    params:
        settings=lambda w: plan.settings("split", w),
        code=lambda w: plan.code("split", w),
    script:
        "../scripts/split.py"


rule ask:
    """Read what a submission must look like, before anything is trained."""
    input:
        digests("data/{competition}/source.zip", "data/{competition}/index.csv", "data/{competition}/quarantine.csv"),
        source=ancient("data/{competition}/source.zip"),
        index=ancient("data/{competition}/index.csv"),
        quarantine=ancient("data/{competition}/quarantine.csv"),
    output:
        digests("data/{competition}/asked.json"),
        asked="data/{competition}/asked.json",
    log:
        "logs/{competition}/ask.log",
    priority: 1  # a sample or a form that does not fit is found before hours of training
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("ask"),
        runtime=plan.minutes("ask"),
    params:
        settings=lambda w: plan.settings("ask", w),
        code=lambda w: plan.code("ask", w),
    script:
        "../scripts/ask.py"


rule pack:
    """Pack all photos, still encoded, into a TFRecord file for each part."""
    input:
        digests("data/{competition}/source.zip", "data/{competition}/index.csv"),
        source=ancient("data/{competition}/source.zip"),
        index=ancient("data/{competition}/index.csv"),
    output:
        digests("data/{competition}/records"),
        records=directory("data/{competition}/records"),
    log:
        "logs/{competition}/pack.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("pack"),
        runtime=plan.minutes("pack"),
    params:
        settings=lambda w: plan.settings("pack", w),
        code=lambda w: plan.code("pack", w),
    script:
        "../scripts/pack.py"


rule preprocess:
    """Decode, orient and resize one part's photos, once."""
    input:
        digests("data/{competition}/records"),
        records=ancient("data/{competition}/records"),
        depth="data/{competition}/depth.json",
    output:
        digests("data/{competition}/{size}px/{part}.npy"),
        pixels="data/{competition}/{size}px/{part}.npy",
    log:
        "logs/{competition}/preprocess-{size}-{part}.log",
    conda:
        "../envs/podium.yaml"
    threads: plan.cores(workflow.cores)
    resources:
        mem_mb=plan.memory("preprocess"),
        runtime=plan.minutes("preprocess"),
    params:
        settings=lambda w: plan.settings("preprocess", w),
        code=plan.code("preprocess"),
    script:
        "../scripts/preprocess.py"


rule embed:
    """Run one part's photos through a frozen backbone, once for each of the views."""
    input:
        ancient(plan.weights),  # `state` is their content
        digests("data/{competition}/{size}px/{part}.npy", "data/{competition}/index.csv"),
        pixels=ancient("data/{competition}/{size}px/{part}.npy"),
        index=ancient("data/{competition}/index.csv"),
    output:
        digests("data/{competition}/{size}px/{backbone}/{views}/{part}.npy"),
        embeddings="data/{competition}/{size}px/{backbone}/{views}/{part}.npy",
    log:
        "logs/{competition}/embed-{size}-{backbone}-{views}-{part}.log",
    conda:
        "../envs/podium.yaml"
    threads: plan.gpu_cores(workflow.cores)
    resources:
        mem_mb=plan.memory("embed"),
        runtime=plan.minutes("embed"),
        gpu=1,
        gpu_memory=plan.gpu_memory,
    params:
        settings=lambda w: plan.settings("embed", w),
        state=plan.weights_state,
        code=lambda w: plan.code("embed", w),
    script:
        "../scripts/embed.py"
