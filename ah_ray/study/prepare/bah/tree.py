"""The files of a BAH tree: videos and YAML files, by their paths within the data set.

ROOT/Videos/<participant>/<visit>/<participant>_Question_<n>_<date>_Video.mp4
ROOT/split/train.txt, val.txt, test.txt
ROOT/video_annotation_transcript.yaml      all videos, or one YAML per video
ROOT/meta_data.yml
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ah_ray import storage
from ah_ray.config.containers import VIDEO_ENDINGS
from ah_ray.errors import ConfigError, ObjectDenied, ObjectMissing

VIDEOS = "Videos"
YAML_ENDINGS = (".yaml", ".yml")
_ALL_IN_ONE = ("video_annotation_transcript", "video_annotation", "annotations", "annotation")
_ONE_EACH = ("annotations", "annotation")


@dataclass(frozen=True, slots=True)
class Tree:
    """`videos` and `yamls` are path within the data set → URI."""

    root: str
    videos: dict[str, str] = field(default_factory=dict)
    yamls: dict[str, str] = field(default_factory=dict)  # beside the videos

    def path_of(self, written: str) -> str:
        """Return the path of the video that an annotator means, or the text if there is none.

        Earlier releases leave `Videos/` out.
        """
        path = written.strip().replace("\\", "/").removeprefix("./").lstrip("/")
        for candidate in (path, f"{VIDEOS}/{path}", path.removeprefix(f"{VIDEOS}/")):
            if candidate in self.videos:
                return candidate
        return path


def open_tree(root: str) -> Tree:
    """List the videos. Raise ConfigError if there are none.

    Where there is a folder `Videos`, nothing else is listed: faces and frames of all videos may
    lie beside it.
    """
    root = storage.normalise(root)
    tree = Tree(root)
    try:
        try:
            _list(tree, VIDEOS)
        except ObjectMissing:
            _list(tree, "")
    except (ObjectMissing, ObjectDenied) as error:
        raise ConfigError(f"--bah {root} cannot be read: {error}") from None
    if not tree.videos:
        raise ConfigError(f"--bah {root} holds no video")
    return tree


def _list(tree: Tree, folder: str) -> None:
    for path, uri in _below(tree.root, folder):
        if path.lower().endswith(VIDEO_ENDINGS):
            tree.videos[path] = uri
        elif path.lower().endswith(YAML_ENDINGS):
            tree.yamls[path] = uri


def _below(root: str, folder: str) -> Iterator[tuple[str, str]]:
    place = storage.join(root, folder) if folder else root
    for page in storage.list_pages(place):
        for entry in page:
            if entry.etag is not None:
                yield f"{folder}/{entry.key}" if folder else entry.key, entry.uri


def annotation_files(tree: Tree, named: str | None) -> dict[str, str]:
    """Return the YAML files with annotations, path → URI. Raise ConfigError if there are none.

    `named` is such a file, or a folder of them. Without it: one file for all in ROOT, else a
    folder of them in ROOT, else those beside the videos.
    """
    if named is not None:
        uri = storage.normalise(named)
        if uri.lower().endswith(YAML_ENDINGS):
            if not storage.exists(uri):
                raise ConfigError(f"--annotations {named}: there is no such file")
            return {"": uri}
        found = _yamls_below(uri)
    else:
        for name in _ALL_IN_ONE:
            for ending in YAML_ENDINGS:
                if storage.exists(uri := storage.join(tree.root, name + ending)):
                    return {"": uri}
        found = {}
        for folder in _ONE_EACH:
            found = found or _yamls_below(storage.join(tree.root, folder))
        found = found or tree.yamls
    if not found:
        raise ConfigError(
            f"{named or tree.root} has no annotations ({_ALL_IN_ONE[0]}{YAML_ENDINGS[0]}): name "
            "the file, or a folder with one YAML per video, with --annotations"
        )
    return found


def _yamls_below(folder: str) -> dict[str, str]:
    try:
        return {
            path: uri for path, uri in _below(folder, "") if path.lower().endswith(YAML_ENDINGS)
        }
    except ObjectMissing:
        return {}


class Namesakes:
    """Finds the video that a YAML file belongs to, by the file's name."""

    def __init__(self, tree: Tree):
        self._tree = tree
        self._by_stem: dict[str, str | None] = {}
        for path in tree.videos:
            stem = _stem(path).rpartition("/")[2]
            self._by_stem[stem] = None if stem in self._by_stem else path
        self._by_path = {_stem(path): path for path in tree.videos}

    def video_of(self, yaml_path: str) -> str:
        """Return the video of a YAML file, or the path without its ending if the tree has none.

        <video>.yaml, <video>.mp4.yaml, and <video>.mp4/<video>.yaml are all known, with the
        video's folders above them or without.
        """
        path = _stem(yaml_path)
        folder = path.rpartition("/")[0]
        for candidate in (path, folder):
            if (found := self._tree.path_of(candidate)) in self._tree.videos:
                return found
        for candidate in (path, f"{VIDEOS}/{path}", path.removeprefix(f"{VIDEOS}/")):
            if candidate in self._by_path:
                return self._by_path[candidate]
        name = path.rpartition("/")[2]
        name = _stem(name) if name.lower().endswith(VIDEO_ENDINGS) else name
        return self._by_stem.get(name) or path


def _stem(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return folder + slash + (stem if dot and stem else name)
