"""The files of platforms that follow from the parser; ``python -m sites.make`` writes them, and the version into all.

What is written by hand beside them is held to the parser by ``tests/whole/test_sites.py``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bids_app import __version__
from bids_app.settings import words
from bids_app.settings.boutiques import RESOURCES, descriptor
from bids_app.settings.named_paths import NAMED_BY
from bids_app.settings.parser import app_parser

FOLDER = Path(__file__).parent
# Written by hand: the version alone is made.
WITH_VERSION = (
    *("babs/trialgraph.yaml", "brainlife/main", "conda/recipe.yaml", "flywheel/Dockerfile"),
    *("neurodesk/build.yaml", "neurodesk/fulltest.yaml"),
)
ABOUT = "Voxel-wise and parcel-wise graph maps of resting-state fMRI, compared between the arms of a randomized trial."
# What a platform settles itself, or has no place for.
OF_MACHINE = ("work_dir", "n_cpus", "omp_nthreads", "mem_gb", "nipype_plugin_file")
OF_BLINDING = ("blind", "key")  # who may know the arms is not settled on a platform that many see
FILES = ("plan", "config", "allocations", "bids_filter_file")  # of a gear, its inputs


def made(version: str) -> dict[str, Any]:
    """Return the content of the files that are made.

    Parameters
    ----------
    version : str

    Returns
    -------
    dict
        By path below this folder.
    """
    return {
        "nipoppy/config.json": _nipoppy(version),
        "nipoppy/descriptor.json": _of_apptainer(version),
        "cbrain/trialgraph.json": _cbrain(version),
        "flywheel/manifest.json": _flywheel(version),
    }


def written_version() -> str:
    """Return the version that the files have."""
    content: dict[str, str] = json.loads((FOLDER / "nipoppy" / "config.json").read_text(encoding="utf-8"))
    return content["VERSION"]


def _of_apptainer(version: str) -> dict[str, Any]:
    """Return the descriptor by the ids that options have, for engines that take the image from a registry."""
    image = {"type": "singularity", "index": "docker://", "image": f"bids/trialgraph:{version}"}
    return descriptor(app_parser(), "1.0") | {"tool-version": version, "container-image": image}


def _nipoppy(version: str) -> dict[str, Any]:
    of_each = {"DESCRIPTOR_FILE": "descriptor.json", "GENERATE_PYBIDS_DATABASE": False}
    participant = {
        "NAME": "participant",
        "ANALYSIS_LEVEL": "participant",
        "INVOCATION_FILE": "invocation.json",
        "TRACKER_CONFIG_FILE": "tracker.json",
        "HPC_CONFIG_FILE": "hpc.json",
    }
    group = {
        "NAME": "group",
        "ANALYSIS_LEVEL": "group",
        "INVOCATION_FILE": "invocation-group.json",
        "HPC_CONFIG_FILE": "hpc-group.json",
    }
    return {
        "NAME": "trialgraph",
        "VERSION": version,
        "DESCRIPTION": ABOUT,
        "CONTAINER_INFO": {
            "FILE": "[[NIPOPPY_DPATH_CONTAINERS]]/[[PIPELINE_NAME]]_[[PIPELINE_VERSION]].sif",
            "URI": "docker://bids/[[PIPELINE_NAME]]:[[PIPELINE_VERSION]]",
        },
        "CONTAINER_CONFIG": {"ARGS": ["--cleanenv"]},
        "STEPS": [participant | of_each, group | of_each],
        "VARIABLES": {"PREPROCESSED": "Folder of the preprocessed data, such as derivatives/fmriprep/25.2.7/output."},
        "PIPELINE_TYPE": "processing",
        "SCHEMA_VERSION": "1.0",
    }


def _cbrain(version: str) -> dict[str, Any]:
    """Return the descriptor with the keys of CBRAIN: files are chosen, and the machine is settled."""
    content = _of_apptainer(version)
    reads = {action.dest: action.type for action in app_parser()._actions}
    left_out = (*OF_MACHINE, *OF_BLINDING)
    inputs = [_of_files(one, reads) for one in content["inputs"] if one["id"] not in left_out]
    inputs[1] |= {"name": "Name of the results", "default-value": "{full_noex}-trialgraph-{task_id}"}
    keys = [one["value-key"] for one in inputs]
    settled = f"--work-dir work --n-cpus {RESOURCES['cpu-cores']} --mem-gb {RESOURCES['ram']}"
    return content | {
        "command-line": f"mkdir -p work; /run.py {' '.join(keys)} {settled}",
        "inputs": inputs,
        "custom": content["custom"]
        | {
            "cbrain:readonly-input-files": True,
            "cbrain:integrator_modules": {
                "BoutiquesFileTypeVerifier": {"bids_dir": ["BidsDataset"]},
                "BoutiquesOutputFileTypeSetter": {"output": "FileCollection"},
                "BoutiquesPostProcessingCleaner": ["work"],
            },
        },
    }


def _of_files(entry: Mapping[str, Any], reads: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input, as one of files where every word of it is a path that is read."""
    paths = (words.as_path, words.as_options, words.as_named_path)
    return {**entry, "type": "File"} if reads[entry["id"]] in paths else dict(entry)


def _flywheel(version: str) -> dict[str, Any]:
    reads = {action.dest: action.type for action in app_parser()._actions}
    inputs = [one for one in descriptor(app_parser(), "1.0")["inputs"] if one["id"] not in ("bids_dir", "output_dir")]
    paths = set(NAMED_BY) - {
        words.as_atlas,
        words.as_mask,
        words.as_region,
        words.as_labels,
    }  # whose words can be names
    left_out = (*OF_MACHINE, *OF_BLINDING)
    options = [one for one in inputs if one["id"] not in left_out and reads[one["id"]] not in paths]
    files = [one for one in inputs if one["id"] in FILES]
    return {
        "name": "trialgraph",
        "label": "trialgraph",
        "description": ABOUT,
        "version": version,
        "author": "The authors of trialgraph",
        "license": "Apache-2.0",
        "url": "",
        "source": "",
        "command": "/flywheel/v0/run",
        "custom": {"gear-builder": {"category": "analysis", "image": f"bids/trialgraph-gear:{version}"}},
        "inputs": {
            "bids": {
                "base": "file",
                "type": {"enum": ["archive"]},
                "description": "A BIDS dataset as .zip, with the preprocessed data in its folder derivatives",
            },
            "results": {
                "base": "file",
                "type": {"enum": ["archive"]},
                "optional": True,
                "description": "What the participant level left, trialgraph.zip, for the group level",
            },
            **{one["id"]: {"base": "file", "optional": True, "description": one["description"]} for one in files},
        },
        "config": {_key(one): _directive(one) for one in options},
    }


def _key(entry: Mapping[str, Any]) -> str:
    return str(entry.get("command-line-flag", entry["id"])).removeprefix("--")


def _directive(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an option; several values are the words of one text."""
    several = " Several, separated by blanks." if entry.get("list") else ""
    kinds = {"Flag": "boolean", "Number": "integer" if entry.get("integer") else "number"}
    found = {"type": "string" if entry.get("list") else kinds.get(entry["type"], "string")}
    choices = {} if entry.get("list") else {"enum": entry["value-choices"]} if "value-choices" in entry else {}
    optional = {"optional": True} if entry.get("optional") else {}
    return {"description": f"{entry['description']}.{several}", **found, **choices, **optional}


def main() -> None:
    """Write the files."""
    old = written_version()
    for name, content in made(__version__).items():
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (FOLDER / name).write_text(text, encoding="utf-8")
    for path in (FOLDER / name for name in WITH_VERSION):
        text = path.read_text(encoding="utf-8").replace(old, __version__)
        path.write_text(text.replace(old.replace(".", "-"), __version__.replace(".", "-")), encoding="utf-8")


if __name__ == "__main__":
    main()
