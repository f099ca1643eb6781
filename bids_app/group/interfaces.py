"""Interfaces of the group level."""

from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, Directory, SimpleInterface, TraitedSpec, traits

from bids_app.group import results, several, together
from bids_app.group.analyses import run_analysis, run_until_settled
from bids_app.group.sample import load_maps


class _CompareArmsInput(BaseInterfaceInputSpec):
    maps_files = traits.List(Directory(exists=True), mandatory=True, desc="(n, V) by visit, of each feature")
    sample = traits.Any(mandatory=True, desc="sample.Sample without its maps", nohash=True)
    analysis = traits.Any(mandatory=True, desc="Analysis")
    trial = traits.Any(mandatory=True, desc="Trial")
    n_jobs = traits.Int(1, nohash=True)


class _CompareArmsOutput(TraitedSpec):
    comparisons = traits.List(traits.Any, desc="stats.Comparison of each feature")


class CompareArms(SimpleInterface):
    """The maps of every visit of one feature, or of those that share their draws, to the results of one analysis."""

    input_spec, output_spec = _CompareArmsInput, _CompareArmsOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs, maps = self.inputs, [load_maps(path) for path in self.inputs.maps_files]
        of_all = inputs.analysis, inputs.sample, maps, inputs.trial
        self._results["comparisons"] = (
            run_until_settled(*of_all, n_jobs=inputs.n_jobs)
            if inputs.trial.until_settled
            else [run_analysis(inputs.analysis, inputs.sample, own, inputs.trial, n_jobs=inputs.n_jobs) for own in maps]
        )
        return runtime


class _TestTogetherInput(BaseInterfaceInputSpec):
    joint = traits.Any(mandatory=True, desc="together.Joint", nohash=True)
    maps_files = traits.List(traits.Dict(traits.Str, traits.Str), mandatory=True, desc="by sample, of each feature")
    trial = traits.Any(mandatory=True, desc="Trial")
    any_difference = traits.Bool(False, desc="F over all arms, in place of the comparisons")
    n_jobs = traits.Int(1, nohash=True)


class _TestTogetherOutput(TraitedSpec):
    found = traits.List(traits.Any, desc="dict of together.Result, of each feature")


class TestTogether(SimpleInterface):
    """The maps of all arms of one feature, or of several, to the results of comparisons that share their draws."""

    input_spec, output_spec = _TestTogetherInput, _TestTogetherOutput
    _always_run = True
    __test__ = False

    def _run_interface(self, runtime: Any) -> Any:
        inputs = self.inputs
        test = together.compare_any if inputs.any_difference else together.compare_together
        self._results["found"] = (
            together.together_until_settled(
                inputs.joint,
                inputs.maps_files,
                inputs.trial,
                any_difference=inputs.any_difference,
                n_jobs=inputs.n_jobs,
            )
            if inputs.trial.until_settled
            else [test(inputs.joint, own, inputs.trial, n_jobs=inputs.n_jobs) for own in inputs.maps_files]
        )
        return runtime


class _WriteTogetherInput(BaseInterfaceInputSpec):
    found = traits.List(traits.Any, mandatory=True, desc="in the order of keys", nohash=True)
    keys = traits.List(traits.Any, mandatory=True, desc="(number of the joint test, feature) each")
    family = traits.Any(mandatory=True, desc="family.Family", nohash=True)
    settings = traits.Any(mandatory=True)


class _WriteTogetherOutput(TraitedSpec):
    out_files = traits.List(traits.Str)


class WriteTogether(SimpleInterface):
    """Results of all joint tests of one route to maps and a table."""

    input_spec, output_spec = _WriteTogetherInput, _WriteTogetherOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs = self.inputs
        found = {
            several.Part(joint, several.Compared(feature, name)): result
            for (joint, feature), results in zip(inputs.keys, inputs.found, strict=True)
            for name, result in results.items()
        }
        written = several.write_family(inputs.settings, inputs.family, found)
        self._results["out_files"] = [str(path) for path in written]
        return runtime


class _WriteComparisonInput(BaseInterfaceInputSpec):
    comparisons = traits.List(traits.Any, mandatory=True, desc="in the order of tests", nohash=True)
    tests = traits.List(traits.Any, mandatory=True, desc="analyses.Test each")
    written = traits.List(traits.Any, mandatory=True, desc="the tests in the order of the files")
    sample = traits.Any(mandatory=True, desc="sample.Sample without its maps", nohash=True)
    route = traits.Any(mandatory=True, nohash=True)
    settings = traits.Any(mandatory=True)


class _WriteComparisonOutput(TraitedSpec):
    out_files = traits.List(traits.Str)


class WriteComparison(SimpleInterface):
    """Comparisons of one route to maps and tables."""

    input_spec, output_spec = _WriteComparisonInput, _WriteComparisonOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs = self.inputs
        found = dict(zip(inputs.tests, inputs.comparisons, strict=True))
        comparisons = {test: found[test] for test in inputs.written}
        written = results.write_results(inputs.settings, inputs.route, inputs.sample, comparisons)
        self._results["out_files"] = [str(path) for path in written]
        return runtime
