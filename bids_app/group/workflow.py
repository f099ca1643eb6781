"""The group level as Nipype workflows."""

from collections.abc import Sequence

from nipype.interfaces.utility import Merge
from nipype.pipeline import engine as pe

from bids_app.bids.names import label
from bids_app.group.analyses import Test, analyses_of
from bids_app.group.family import Family
from bids_app.group.forecast import gb_of_test
from bids_app.group.interfaces import CompareArms, TestTogether, WriteComparison, WriteTogether
from bids_app.group.routes import Route
from bids_app.group.sample import Sample
from bids_app.runtime.nipype_run import node_name
from bids_app.settings.settings import Settings, Trial


def init_group_wf(
    *, samples: Sequence[tuple[Route, Sample]], settings: Settings, n_jobs: int = 1, name: str = "trialgraph_group_wf"
) -> pe.Workflow:
    """Build the workflow that compares the arms on every route.

    Parameters
    ----------
    samples : list of (routes.Route, sample.Sample)
    settings : Settings
    n_jobs : int
        Threads of one comparison.
    """
    workflow = pe.Workflow(name=name)
    for route, sample in samples:
        workflow.add_nodes(
            [
                init_comparison_wf(
                    route=route,
                    sample=sample,
                    settings=settings,
                    n_jobs=n_jobs,
                    name=f"{node_name(route.name)}_wf",
                )
            ]
        )
    return workflow


def init_comparison_wf(
    *, route: Route, sample: Sample, settings: Settings, n_jobs: int = 1, name: str = "comparison_wf"
) -> pe.Workflow:
    """Build the workflow of one route: every feature by every analysis with the same draws, then the files.

    Outputs
    -------
    ds_results.out_files : list of str
    """
    analyses = analyses_of(settings.trial, sample.design, sample.symptoms, describes=route.describes)
    tests = [Test(feature, analysis) for feature in sample.features for analysis in analyses]
    folder, bare = settings.work_dir / name, sample.without_maps()
    maps = {feature: sample.maps_on_disk(feature, folder) for feature in sample.features}
    groups = _at_once(tests, settings.trial)
    merge = pe.Node(Merge(len(groups)), name="merge", run_without_submitting=True)
    in_order = [test for group in groups for test in group]
    ds_results = pe.Node(
        WriteComparison(tests=in_order, written=tests, sample=bare, route=route, settings=settings),
        name="ds_results",
    )
    workflow = pe.Workflow(name=name)
    for position, group in enumerate(groups, start=1):
        analysis = group[0].analysis
        interface = CompareArms(
            maps_files=[maps[test.feature] for test in group],
            sample=bare,
            analysis=analysis,
            trial=settings.trial,
            n_jobs=n_jobs,
        )
        own = group[0].feature.label if len(group) == 1 else "all"
        parts = (own, *map(label, filter(None, (analysis.estimator, analysis.subject))))
        memory = gb_of_test(sample, settings.trial, n_features=len(group), n_jobs=n_jobs)
        compare = pe.Node(interface, name=node_name("_".join(parts)), n_procs=n_jobs, mem_gb=memory)
        workflow.connect([(compare, merge, [("comparisons", f"in{position}")])])
    workflow.connect([(merge, ds_results, [("out", "comparisons")])])
    return workflow


def _at_once(tests: Sequence[Test], trial: Trial) -> list[list[Test]]:
    """Return the tests that are made in one node: each by itself, or all that stop to draw together."""
    if not trial.until_settled:
        return [[test] for test in tests]
    analyses = dict.fromkeys(test.analysis for test in tests)
    return [[test for test in tests if test.analysis == analysis] for analysis in analyses]


def init_together_wf(
    *, families: Sequence[Family], settings: Settings, n_jobs: int = 1, name: str = "trialgraph_together_wf"
) -> pe.Workflow:
    """Build the workflow that tests all comparisons of every route together."""
    workflow = pe.Workflow(name=name)
    for family in families:
        part = init_family_wf(
            family=family, settings=settings, n_jobs=n_jobs, name=f"{node_name(family.route.name)}_wf"
        )
        workflow.add_nodes([part])
    return workflow


def init_family_wf(*, family: Family, settings: Settings, n_jobs: int = 1, name: str = "family_wf") -> pe.Workflow:
    """Build the workflow of one route: every feature by every joint test, then the files.

    Outputs
    -------
    ds_results.out_files : list of str
    """
    tests = [(joint, False) for joint in family.joints] + ([(family.joints[-1], True)] if family.has_any else [])
    features = list(family.maps)
    at_once = [features] if settings.trial.until_settled else [[feature] for feature in features]
    groups = [(number, together) for together in at_once for number in range(len(tests))]
    keys = [(number, feature) for number, together in groups for feature in together]
    merge = pe.Node(Merge(len(groups)), name="merge", run_without_submitting=True)
    ds_results = pe.Node(WriteTogether(keys=keys, family=family, settings=settings), name="ds_results")
    workflow = pe.Workflow(name=name)
    for place, (number, together) in enumerate(groups, start=1):
        joint, is_any = tests[number]
        interface = TestTogether(
            joint=joint,
            maps_files=[family.maps[feature] for feature in together],
            trial=settings.trial,
            any_difference=is_any,
            n_jobs=n_jobs,
        )
        own = together[0].label if len(together) == 1 else "all"
        memory = family.gb_of_test(settings.trial, n_jobs)
        node = pe.Node(interface, name=node_name(f"{own}_{number + 1}"), n_procs=n_jobs, mem_gb=memory)
        workflow.connect([(node, merge, [("found", f"in{place}")])])
    workflow.connect([(merge, ds_results, [("out", "found")])])
    return workflow
