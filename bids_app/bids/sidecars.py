"""What the JSON beside and above a file says of it, by the inheritance principle of BIDS.

pybids finds the files; it would also read all of them, and one that is damaged would be the end of the others.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bids_app.bids.names import Name
from bids_app.errors import DataError, MissingInputError
from bids_app.system.small_files import read_json


class Sidecars:
    """The JSON files of a dataset, to be asked of one file after the other.

    Parameters
    ----------
    paths : iterable of Path
        All JSON files of the dataset.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_place: defaultdict[tuple[Path, str], list[tuple[set[tuple[str, str]], Path]]] = defaultdict(list)
        for path in sorted(map(Path, paths)):
            name = Name.parse(path)
            self._by_place[path.parent, name.suffix].append((set(name.entities.items()), path))

    @classmethod
    def of_layout(cls, layout: Any) -> "Sidecars":
        """Take those that a pybids layout knows."""
        return cls(layout.get(extension=".json", return_type="filename"))

    def beside(self, path: Path) -> list[Path]:
        """List those that say something of a file, the farthest and the most general first.

        Examples
        --------
        >>> here = Path("/data/sub-01/func")
        >>> names = ["/data/task-rest_bold.json", here / "sub-01_task-rest_bold.json", here / "sub-01_task-x_bold.json"]
        >>> [one.name for one in Sidecars(names).beside(here / "sub-01_task-rest_run-1_bold.nii.gz")]
        ['task-rest_bold.json', 'sub-01_task-rest_bold.json']
        """
        path = Path(path)
        name = Name.parse(path)
        own, found = set(name.entities.items()), []
        for folder in reversed(path.parents):
            fitting = [one for one in self._by_place.get((folder, name.suffix), []) if one[0] <= own]
            found += [place for _, place in sorted(fitting, key=lambda one: len(one[0]))]
        return found

    def metadata(self, path: Path) -> dict[str, Any]:
        """Return what they say together, the nearest last.

        A file that cannot be read is the fault of the one scan: the error then stands in the place of the repetition
        time, and is raised where the scan is read.
        """
        content: dict[str, Any] = {}
        for place in self.beside(path):
            try:
                content |= read_json(place, called=place.name)
            except (DataError, MissingInputError) as error:
                return {"RepetitionTime": error}
        return content
