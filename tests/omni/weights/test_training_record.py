"""Which profile a checkpoint's own record asks for, and when a named one contradicts it."""

import json
import shutil
from pathlib import Path

import pytest
from adapter_files import swift_factors, write_adapter
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.errors import ConfigError
from ah_ray.omni.merged_checkpoint import write_merged_checkpoint
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.omni.weights.swift_record import load_profile_of_args, load_profile_of_version
from ah_ray.omni.weights.training_record import (
    choose_profile,
    find_training_record,
    read_training_record,
)
from ah_ray.profile import FirstResize, Profile, ScaleIn, load_profile

SWIFT = Path(__file__).parents[2] / "goldens/swift"
BASE, OLD, NEW = (SWIFT / name for name in ("base", "lora_swift400_tf457", "lora_swift460"))
Q = "thinker.model.layers.1.self_attn.q_proj.weight"


def choose(profile: str | None, *adapters: Path, model: Path = BASE, **how):
    return choose_profile(profile, [(str(model), model, adapters)], **how)


def write_record(folder: Path, file: str, content: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("version", "profile"),
    [
        ("3.12.6", "seed"),
        ("4.0.0.dev0", "seed"),  # the published work
        ("4.0.0", "seed"),
        ("4.0.1", "seed"),
        ("4.0.2", "seed-32"),
        ("4.0.3.dev0", "seed-32"),
        ("4.1.0", "seed-32"),
        ("4.5.3", "seed-32"),
        ("4.6.0", "swift-4.6"),
        ("4.6.0.post1", "swift-4.6"),
        ("4.6.1.dev0", "swift-4.6"),
        ("5.0", "swift-4.6"),
    ],
)
def test_each_version_of_ms_swift_has_its_profile(version, profile):
    assert load_profile_of_version(version) == load_profile(profile)


@pytest.mark.parametrize("version", ["4.0.2.dev0", "4.6.0.dev0", "4.6.0rc1", "latest", "", "4"])
def test_a_version_that_does_not_tell_is_no_guess(version):
    with pytest.raises(ConfigError, match=r"development version|no version of ms-swift"):
        load_profile_of_version(version)


@pytest.mark.parametrize(("adapter", "profile"), [(OLD, "seed"), (NEW, "swift-4.6")])
def test_the_record_of_a_real_adapter_decides(adapter, profile):
    found = choose(None, adapter)
    assert found.profile == load_profile(profile)
    assert adapter.name in found.reason and "ms-swift 4." in found.reason


def test_what_was_trained_last_counts():
    assert choose(None, OLD, NEW).profile.name == "swift-4.6"
    assert choose(None, NEW, OLD).profile.name == "seed"
    assert choose(None).profile.name == "tiny"  # training.json of the base


@pytest.mark.parametrize(
    ("adapter", "given"), [(OLD, "seed-32"), (OLD, "swift-4.6"), (NEW, "seed")]
)
def test_a_profile_that_contradicts_the_record_is_an_error_that_names_the_right_one(adapter, given):
    right = choose(None, adapter).profile.name
    with pytest.raises(ConfigError, match=rf"which is profile {right} .*--profile-anyway"):
        choose(given, adapter)
    assert choose(given, adapter, anyway=True).profile.name == given
    assert choose(given, adapter, binding=False).profile.name == given
    assert choose(right, adapter).profile.name == right


def test_a_record_of_ms_swift_says_nothing_of_the_prompt_and_either_way_of_positions(tmp_path):
    fields = load_profile("swift-4.6").model_dump(mode="json", exclude={"name"})
    fields |= {"user": "<audio><video> Ask otherwise.", "floor_positions": True}
    (tmp_path / "mine.yaml").write_text(json.dumps(fields))
    assert choose(str(tmp_path / "mine.yaml"), NEW).profile.floor_positions
    (tmp_path / "mine.yaml").write_text(json.dumps(fields | {"fps": 1.0}))
    with pytest.raises(ConfigError, match=r"fps 1.0 → 2.0"):
        choose(str(tmp_path / "mine.yaml"), NEW)


def test_several_models_must_agree(tmp_path):
    models = [("a", BASE, [OLD]), ("b", BASE, [NEW])]
    with pytest.raises(ConfigError, match=r"trained in different ways: .*4\.0\.0.*4\.6\.0"):
        choose_profile(None, models)
    with pytest.raises(ConfigError, match="not how the model was trained"):
        choose_profile("seed", models)
    assert choose_profile("seed", models, anyway=True).profile.name == "seed"
    unknown = tmp_path / "c"
    unknown.mkdir()
    assert choose_profile(None, [*models[:1], ("c", unknown, [])]).profile.name == "seed"


def test_without_a_record_it_is_seed_and_tiny_may_be_shown_anything(tmp_path):
    nothing = choose_profile(None, [("m", tmp_path, [])])
    assert (nothing.profile.name, nothing.reason) == ("seed", "")
    tiny = choose_profile(None, [("tiny", BASE, [])])
    assert (tiny.profile.name, tiny.reason) == ("tiny", "")
    assert choose_profile("seed", [("tiny", BASE, [])]).profile.name == "seed"
    assert choose_profile(None, [("tiny", BASE, [NEW])]).profile.name == "swift-4.6"


def args(version: str = "4.6.0", **model_kwargs: object) -> dict:
    return {"swift_version": version, "template": "qwen3_omni", "model_kwargs": model_kwargs}


def limits(profile: Profile) -> tuple[int, int]:
    return profile.min_pixels, profile.max_pixels


def test_limits_of_ms_swift_land_in_the_stage_that_had_them():
    newer = load_profile_of_args(args(video_max_token_num=256))
    assert newer.first_resize is None and limits(newer) == (128 * 1024, 256 * 1024)
    in_pixels = load_profile_of_args(
        args("4.5.0", video_max_pixels=200_704, VIDEO_MIN_PIXELS="50176")
    )
    assert limits(in_pixels) == (49 * 1024, 196 * 1024)
    twice = load_profile_of_args(args("4.1.0", video_max_token_num=64, video_min_token_num=16))
    assert twice.first_resize == FirstResize(factor=32, min_pixels=16 * 1024, max_pixels=64 * 1024)
    assert limits(twice) == (128 * 1024, 768 * 1024)  # the processor sized once more
    published = load_profile_of_args(args("4.0.0", video_max_token_num=256))
    assert published.first_resize == FirstResize(
        factor=28, min_pixels=128 * 784, max_pixels=256 * 784
    )
    assert "video_max_token_num=256" in published.name
    lifted = load_profile_of_args(args(video_max_token_num=64))  # below the smallest
    assert limits(lifted) == (128 * 1024, int(128 * 1024 * 1.05))


def test_frames_of_ms_swift_and_what_does_not_matter():
    profile = load_profile_of_args(args(fps="1.0", fps_min_frames=5, fps_max_frames=768))
    assert (profile.fps, profile.min_frames) == (1.0, 6)
    still_images = args(max_pixels=1, image_max_token_num=2, use_audio_in_video=False)
    assert load_profile_of_args(still_images) == load_profile("swift-4.6")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (args(use_audio_in_video=True), "use_audio_in_video, which no profile can follow"),
        (args(fps_max_frames=8), "fps_max_frames, which"),
        (args(image_factor=28), "image_factor, which"),
        (args("4.0.0", video_max_pixels=200_704), "video_max_pixels, which"),
        (args(fps="fast"), "values that no profile can have"),
        (args(video_max_token_num=-1, video_min_token_num=-1), "values that no profile can have"),
        ({"swift_version": "4.6.0", "template": "qwen2_vl"}, "not one of Qwen3-Omni"),
        ({"swift_version": None}, "no swift_version"),
        ({"swift_version": "4.6.0", "model_kwargs": "x"}, "not a mapping"),
    ],
)
def test_a_training_that_no_profile_can_follow_asks_for_one(tmp_path, fields, problem):
    folder = write_record(tmp_path / "lora", "args.json", fields)
    with pytest.raises(
        ConfigError, match=rf"args\.json of lora .*{problem}.*name one with --profile"
    ):
        choose(None, model=folder)
    assert choose("seed", model=folder).profile.name == "seed"


def test_the_args_of_other_tools_are_none_and_a_damaged_file_is_not_ignored(tmp_path):
    assert (
        read_training_record(open_folder(write_record(tmp_path / "a", "args.json", {"lr": 1})))
        is None
    )
    assert read_training_record(open_folder(write_record(tmp_path / "b", "args.json", [1]))) is None
    for file in ("args.json", "training.json", "merge.json"):
        folder = write_record(tmp_path / file, file, "{")
        with pytest.raises(ConfigError, match=rf"{file} of {file} .*it cannot be read"):
            choose(None, model=folder)


def test_a_training_of_ours_is_scored_with_the_very_profile(tmp_path):
    mine = load_profile("swift-4.6").model_copy(update={"name": "mine", "max_pixels": 200_704})
    about = {"settings": {"profile": "mine"}, "profile": mine.model_dump(mode="json")}
    folder = write_record(tmp_path / "lora", "training.json", about)
    assert choose(None, folder).profile == mine
    with pytest.raises(ConfigError, match=r"profile mine \(max_pixels 786432 → 200704\)"):
        choose("swift-4.6", folder)
    other = write_record(tmp_path / "x", "training.json", about | {"profile": {"name": "mine"}})
    with pytest.raises(ConfigError, match=r"training\.json of x does not tell .*its profile: user"):
        choose(None, other)


@pytest.mark.parametrize("file", ["training.json", "merge.json"])
@pytest.mark.parametrize(
    "fields",
    [
        {"min_pixels": 10**12, "max_pixels": 10**12},
        {"user": "<video><audio>" + "x" * 200_000},
        {"name": "a\x1b[2J"},
        {"fps": 1e9},
    ],
)
def test_a_record_cannot_ask_for_endless_pictures_or_prompts(tmp_path, file, fields):
    profile = load_profile("seed").model_dump(mode="json") | fields
    content = {
        "training.json": {"settings": {"profile": "seed"}, "profile": profile},
        "merge.json": {"trained": {"by": "x", "profile": profile}},
    }
    folder = write_record(tmp_path / "m", file, content[file])
    with pytest.raises(ConfigError, match="name one with --profile"):
        choose(None, model=folder)


@pytest.mark.parametrize(("named", "max_pixels"), [("seed", 786_432), ("seed-448", 200_704)])
def test_a_training_from_before_two_stages_is_scored_as_it_was(tmp_path, named, max_pixels):
    folder = write_record(tmp_path / "lora", "training.json", {"settings": {"profile": named}})
    profile = choose(None, folder).profile
    assert (profile.first_resize, profile.scale_in) == (None, ScaleIn.YUV)
    assert limits(profile) == (131_072, max_pixels)


def test_a_training_with_a_file_that_nobody_has_asks_for_it(tmp_path):
    folder = write_record(tmp_path / "lora", "training.json", {"settings": {"profile": "mine"}})
    with pytest.raises(ConfigError, match="names the profile mine and not what is in it"):
        choose(None, folder)


def test_a_merged_model_keeps_the_record_of_its_last_adapter(tmp_path):
    write_merged_checkpoint(BASE, [OLD, NEW], tmp_path / "merged")
    record = find_training_record(tmp_path / "merged")
    assert (record.file, record.by) == ("merge.json of merged", "ms-swift 4.6.0")
    assert record.profile == load_profile("swift-4.6")
    assert choose("swift-4.6", model=tmp_path / "merged").profile.name == "swift-4.6"
    with pytest.raises(ConfigError, match=r"which is profile swift-4\.6"):
        choose("seed", model=tmp_path / "merged")
    assert str(tmp_path) not in (tmp_path / "merged/merge.json").read_text()


def test_a_merge_of_an_adapter_that_no_profile_can_follow_says_so_again(tmp_path):
    adapter = write_adapter(tmp_path / "lora", swift_factors({Q: (96, 96)}))
    write_record(adapter, "args.json", args(use_audio_in_video=True))
    write_merged_checkpoint(BASE, [adapter], tmp_path / "merged")
    with pytest.raises(ConfigError, match=r"merge\.json of merged .*use_audio_in_video"):
        choose(None, model=tmp_path / "merged")


def test_what_a_merge_copied_from_its_base_is_not_its_record(tmp_path):
    """Merges of before wrote no record, and copied the base's."""
    folder = shutil.copytree(BASE, tmp_path / "merged")
    write_record(folder, "merge.json", {"base": {}, "adapters": [{"name": "lora"}]})
    assert find_training_record(folder) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
PLACES = {
    "args.json": ["swift_version", "template", "model_kwargs"],
    "training.json": ["settings", "profile"],
    "merge.json": ["trained"],
}


@given(
    st.sampled_from(sorted(PLACES)),
    st.data(),
)
def test_no_record_does_more_than_ask_for_a_profile(tmp_path_factory, file, data):
    fields = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(PLACES[file], anything)))
    if data.draw(st.booleans()) and file == "args.json":
        fields["swift_version"] = "4.6.0"
        names = st.sampled_from(
            ["fps", "fps_min_frames", "video_max_token_num", "video_min_pixels"]
        )
        fields["model_kwargs"] = data.draw(st.dictionaries(names, anything, max_size=2))
    folder = write_record(tmp_path_factory.mktemp("any") / "m", file, fields)
    try:
        assert isinstance(choose(None, model=folder).profile, Profile)
    except ConfigError as error:
        assert "name one with --profile" in str(error)
