"""What a job may use of a machine: its cores and GPUs. No TensorFlow."""

from podium import machine
from podium.plan.experiments import Experiment
from podium.plan.settings import ConfigError, Settings


class Machines:
    """Shares out cores and GPUs, as `device` in the config says.

    `gpus` is how many GPUs all jobs together may claim at a time, None for any number. Raises ConfigError where a fit
    wants more of them than there are to be had, as far as this machine knows.
    """

    def __init__(self, device: Settings, gpus: int | None) -> None:
        self._device, self._gpus = device, gpus
        wanted, here = device["gpus"], len(machine.cards())
        if gpus and wanted > gpus:
            raise ConfigError(f"device.gpus: a fit on {wanted} needs --resources gpu={wanted} or more")
        if here and wanted > here:
            raise ConfigError(f"device.gpus: {wanted}, but this machine shows {here}")

    def cores(self, cores: int | None) -> int:
        """Those that Snakemake may use, or as many of them as `device` says."""
        return min(cores or 1, self._device["threads"] or cores or 1)

    def gpu_cores(self, cores: int | None) -> int:
        """The processor cores of `embed` and `robustness`: a share where such steps run side by side on GPUs."""
        return self.cores(max(1, (cores or 1) // (self._beside_on_gpus() or 1)))

    def threads(self, experiment: Experiment, cores: int | None) -> int:
        """The processor cores of `train` and `predict`: all of them, or a share where fits run side by side."""
        claims, fits = experiment.network.claims_gpus, len(experiment.fits)
        beside = fits // len(experiment.seeds)  # so that another seed leaves them as they are
        if claims != "never" and (on_gpus := self._beside_on_gpus()):
            beside = min(fits, on_gpus)
        elif claims == "always":
            beside = 1
        return self.cores(max(1, (cores or 1) // beside))

    def gpus(self, rule: str, experiment: Experiment) -> int:
        """How many GPUs `train` or `predict` claims, so that no two networks share one.

        A small network claims none on a machine without any: there its fits run side by side on the cores.
        """
        claims = experiment.network.claims_gpus
        if claims == "never" or (claims == "where there are any" and not machine.cards()):
            return 0
        return self._device["gpus"] if rule == "train" else 1

    def _beside_on_gpus(self) -> int:
        """How many fits have GPUs of their own at a time; 0 where there is none to be had."""
        here = len(machine.cards())
        free = here if self._gpus is None else min(here, self._gpus)
        return free // self._device["gpus"]
