"""Nipype interfaces that bring an anatomy to the template."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nipype.interfaces.base import BaseInterfaceInputSpec, TraitedSpec, traits

from bids_app.bids.files import save_figure
from bids_app.errors import DataError
from bids_app.preproc import files
from bids_app.preproc.anatomy import prepare_anatomy
from bids_app.preproc.dataset import finish
from bids_app.preproc.interfaces import Step
from bids_app.preproc.template import load_template
from bids_app.report.registration import anatomy_figure
from bids_app.system.images import read_image


class AnatomyInput(BaseInterfaceInputSpec):
    """What every step to a standard anatomy is given."""

    owner = traits.Any(mandatory=True, desc="entities of the anatomy")
    place = traits.Any(mandatory=True)
    template = traits.Any(desc="folder of the template")
    state = traits.Any(mandatory=True, desc="what the result depends on")


class _T1wInput(AnatomyInput):
    t1w = traits.Any(mandatory=True, desc="path of the image")


class _AnatomyOutput(TraitedSpec):
    finished = traits.Bool()


class AnatomyStep(Step):
    """What brings an anatomy to the template, and ends with a picture and a record of it."""

    output_spec = _AnatomyOutput
    _always_run = True

    def _finish(self, written: list[Path], template: Any, standard: Mapping[str, np.ndarray]) -> None:
        inputs = self.inputs
        written.append(inputs.place.figure(inputs.owner, "registration", "T1w"))
        save_figure(written[-1], anatomy_figure(template, standard))
        finish(inputs.place.record(inputs.owner, "T1w"), inputs.state, written)
        self._results["finished"] = True


class PrepareAnatomy(AnatomyStep):
    """T1w to brain, tissues and transforms, written as BIDS derivatives."""

    input_spec = _T1wInput

    def _run_interface(self, runtime: Any) -> Any:
        inputs = self.inputs
        image, values = read_image(inputs.t1w)
        if values.ndim != 3:
            raise DataError(f"{inputs.t1w.name} has shape {values.shape}; a 3D image is needed.")
        template = load_template(inputs.template)
        anatomy = prepare_anatomy(nib.Nifti1Image(values.astype(np.float32), image.affine), template, Path(runtime.cwd))
        written, standard = files.write_anatomy(inputs.place, inputs.owner, inputs.t1w, anatomy, template)
        self._finish(written, template, standard)
        return runtime
