"""What a blinded trial left, to be compared with that of the same trial with all arms swapped."""

import gzip
import json
import re

STAMP = re.compile(
    rb"\d{8}-\d{6}(?=_\w+_)|(?<=_group_)[0-9a-f]{8}|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d([,.]\d+)?Z?|(?<= after )\d+ s|"
    rb'(?<="(?:Seal)": )"[0-9a-f]+"|(?<="Before": )"[0-9a-f]*"|(?<="Digest": )"[0-9a-f]+"'
)


def plain(data):
    """Leave out times, and what the salt makes of the key."""
    return STAMP.sub(b"T", data)


def contents(out):
    """Return the bytes of every file by its name, but for the work folder, which goes when the process ends."""
    files = [path for path in out.rglob("*") if path.is_file()]
    files = [path for path in files if path.relative_to(out).parts[0] != "work"]
    found = {plain(path.relative_to(out).as_posix().encode()): plain(path.read_bytes()) for path in files}
    assert len(found) == len(files)
    return found


def telling(out, said, names):
    """List where a name of an arm stands, in capitals or not: in a file, in its name, or in what was said."""
    places = []
    for path in (path for path in out.rglob("*") if path.is_file()):
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        where = str(path.relative_to(out))
        places += [(where, name) for name in names if name in data.lower() or name in where.lower().encode()]
    return [*places, *[("said", name) for name in names if name in said.lower().encode()]]


def write_key(path, letters, swap):
    """Give everyone the letter that they have without the swap: the key is swapped too."""
    path.parent.mkdir()
    letters = {swap.get(arm, arm): letter for arm, letter in letters.items()}
    path.write_text(json.dumps({"letters": letters, "salt": "0" * 64}))
