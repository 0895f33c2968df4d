"""Reading job files: what is accepted, what is refused, and how it is told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core import yamlread
from spotlaunch.core.jobfile import Overrides, examine_job, read_job
from spotlaunch.core.jobmodel import JobModel
from spotlaunch.core.names import JOB_NAME_MOST
from spotlaunch.core.spec import (
    BlobStoreRef,
    CheckpointSpec,
    Fallback,
    Limits,
    Resources,
    Spec,
    Where,
    spec_from_dict,
    spec_to_dict,
)
from spotlaunch.core.template import JOB_TEMPLATE
from spotlaunch.errors import BadFile, Problem, UsageError

ROOT = Path(__file__).parents[2]
NAMES = ["local", "aws", "gcp"]

WHOLE = """\
name: digits
run: python train.py            # required
setup: pip install -r requirements.txt
workdir: .                      # bundled, honouring .gitignore and .spotlaunchignore
image: null                     # container image, where the provider runs containers
env: {EPOCHS: "60"}
secrets: [WANDB_API_KEY]
resources: {gpu: "H100:8", cpus: 8+, memory_gb: 64+, disk_gb: 100}
market: auto
where: {providers: [aws, gcp], regions: ["us-*"], exclude: ["aws:us-east-1"]}
limits: {price_usd_hour: 30, cost_usd: 500, runtime: 48h, attempts: 50}
fallback: {patience: 20m, return_to_spot: true}
checkpoint: {dir: checkpoints, every: 10m, keep: 3, grace: 25s, store: "s3://bucket/prefix"}
restart_on_exit: [75]
ssh: yes
"""


def read(text: str, *, env: dict[str, str] | None = None, overrides: Overrides | None = None) -> Spec:
    return read_job(text, file="jobs/My Job.yaml", names=NAMES, env=env or {}, overrides=overrides)


def problems(text: str, **more: Any) -> tuple[Problem, ...]:
    with pytest.raises(BadFile) as caught:
        read(text, **more)
    return caught.value.problems


def uncommented(template: str) -> str:
    """The template with each key that is commented out in use."""
    return re.sub(r"(?m)^#(?=\w|  \w)", "", template)


# -- what is accepted -------------------------------------------------------------------------------------


def test_every_key_of_a_whole_file_arrives_in_the_spec() -> None:
    assert read(WHOLE, env={"WANDB_API_KEY": "x"}) == Spec(
        name="digits",
        run="python train.py",
        setup="pip install -r requirements.txt",
        workdir=".",
        env={"EPOCHS": "60"},
        secrets=("WANDB_API_KEY",),
        resources=Resources(gpus=(("H100", 8),), cpus=8, memory_gb=64, disk_gb=100),
        where=Where(providers=("aws", "gcp"), regions=("us-*",), exclude=("aws:us-east-1",)),
        limits=Limits(price_usd_hour=Decimal(30), cost_usd=Decimal(500), runtime_s=172800, attempts=50),
        fallback=Fallback(patience_s=1200, return_to_spot=True),
        checkpoint=CheckpointSpec(
            dir="checkpoints", every_s=600, keep=3, grace_s=25, store=BlobStoreRef(url="s3://bucket/prefix")
        ),
        restart_on_exit=(75,),
        ssh=True,
    )


def test_a_command_is_all_that_a_file_needs_and_the_rest_is_as_the_spec_says() -> None:
    assert read("run: python train.py") == Spec(name="my-job", run="python train.py", workdir=".")


def test_keys_without_a_value_count_as_left_out() -> None:
    text = (
        "run: x\nname:\nsetup: ~\nimage: null\nenv:\nwhere:\nlimits: {cost_usd: }\ncheckpoint: {store: , dir: null}\n"
    )
    assert read(text) == Spec(name="my-job", run="x", workdir=".")


def test_values_of_variables_stay_as_they_were_written() -> None:
    text = "run: x\nenv: {A: 3.10, B: on, C: 010, D: 1_000, E: 1:30, F: '', G: 1e5, H: ' a ', I: No, J: 2024-01-01}"
    assert read(text).env == {
        "A": "3.10",
        "B": "on",
        "C": "010",
        "D": "1_000",
        "E": "1:30",
        "F": "",
        "G": "1e5",
        "H": " a ",
        "I": "No",
        "J": "2024-01-01",
    }


@pytest.mark.parametrize("name", ["on", "null-and-void", "2024", "1e5"])
def test_names_that_yaml_would_take_for_something_else_stay_names(name: str) -> None:
    assert read(f"run: x\nname: {name}").name == name


def test_quotes_make_no_difference_to_numbers() -> None:
    plain = (
        "run: x\nlimits: {price_usd_hour: 30, attempts: 5}\nresources: {cpus: 8, memory_gb: 64}\ncheckpoint: {keep: 2}"
    )
    assert read(plain) == read(re.sub(r"\b(30|5|8|64|2)\b", r'"\1"', plain))


@pytest.mark.parametrize("written", ["true", "True", "yes", "on", '"true"'])
def test_truth_is_read_however_yaml_ever_wrote_it(written: str) -> None:
    assert read(f"run: x\nfallback: {{return_to_spot: {written}}}").fallback.return_to_spot is True


@pytest.mark.parametrize("key", ["providers: aws", "providers: [aws]", "providers:\n  - aws"])
def test_one_thing_does_where_a_list_of_things_does(key: str) -> None:
    assert read(f"run: x\nwhere:\n  {key}").where.providers == ("aws",)


def test_gpus_are_alternatives() -> None:
    gpus = read('run: x\nresources: {gpu: ["H100:8", A100-80GB]}').resources.gpus
    assert gpus == (("H100", 8), ("A100-80GB", 1))


@pytest.mark.parametrize("every", ["auto", "0", "0s"])
def test_checkpoints_are_taken_as_often_as_is_best_when_no_time_is_set_between_them(every: str) -> None:
    assert read(f"run: x\ncheckpoint: {{every: {every}}}").checkpoint.every_s is None


@pytest.mark.parametrize(
    ("written", "signal"), [("USR1", "USR1"), ("SIGUSR2", "USR2"), ("sigusr1", "USR1"), ("none", "")]
)
def test_a_program_may_ask_for_a_signal_when_its_interval_changes(written: str, signal: str) -> None:
    assert read(f"run: x\ncheckpoint: {{signal: {written}}}").checkpoint.signal == signal
    assert read("run: x").checkpoint.signal == ""


def test_a_signal_that_means_something_else_is_refused() -> None:
    (problem,) = problems("run: x\ncheckpoint:\n  signal: TERM\n")
    assert (problem.key, problem.line) == ("checkpoint.signal", 3)
    assert "USR1 or USR2" in problem.hint


@pytest.mark.parametrize("folder", ["./ckpt/", "ckpt", "'ckpt/.'"])
def test_the_checkpoint_folder_has_one_spelling(folder: str) -> None:
    assert read(f"run: x\ncheckpoint: {{dir: {folder}}}").checkpoint.dir == "ckpt"


@pytest.mark.parametrize("url", ["file:///mnt/ckpt", "s3://bucket", "gs://bucket/a/b", "az://container/prefix"])
def test_a_store_is_a_url_or_a_mapping_with_one(url: str) -> None:
    assert read(f"run: x\ncheckpoint: {{store: '{url}/'}}").checkpoint.store == BlobStoreRef(url=url)
    full = f"run: x\ncheckpoint: {{store: {{url: '{url}', endpoint: 'https://r2.example.com', region: auto}}}}"
    assert read(full).checkpoint.store == BlobStoreRef(url=url, endpoint="https://r2.example.com", region="auto")


def test_a_command_of_several_lines_is_kept_to_the_letter() -> None:
    assert read("run: |\n  a <<EOF\n    b\n  EOF\n").run == "a <<EOF\n  b\nEOF\n"


def test_a_byte_order_mark_is_not_a_problem() -> None:
    assert read("\ufeffrun: x").run == "x"


def test_a_file_with_no_usable_name_makes_a_job_called_job() -> None:
    assert read_job("run: x", file="/x/___.yaml", names=NAMES, env={}).name == "job"


# -- the command line -------------------------------------------------------------------------------------


def test_the_command_line_outranks_the_file() -> None:
    spec = read("run: x\nname: a\nenv: {A: 1, B: 2}", overrides={"name": "b", "env": {"B": "3", "C": "4"}})
    assert (spec.name, dict(spec.env)) == ("b", {"A": "1", "B": "3", "C": "4"})


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"name": "A_B"}, "--name"),
        ({"env": {"A-B": "x"}}, "--env"),
        ({"env": {"SPOTLAUNCH_X": "x"}}, "--env"),
        ({"env": {"A": "\0"}}, "--env"),
    ],
)
def test_what_the_command_line_says_is_checked_as_well(overrides: Overrides, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read("run: x", overrides=overrides)
    assert caught.value.message.startswith(says)
    assert not isinstance(caught.value, BadFile)


# -- secrets ----------------------------------------------------------------------------------------------


def test_the_value_of_a_secret_is_never_in_the_spec_nor_in_an_error() -> None:
    spec = read("run: x\nsecrets: [TOKEN]", env={"TOKEN": "hunter2"})
    assert "hunter2" not in json.dumps(spec_to_dict(spec)) + repr(spec)
    with pytest.raises(BadFile) as caught:
        read("run: x\nsecrets: [TOKEN]\nenv: {TOKEN: swordfish}", env={"TOKEN": "hunter2"})
    assert "hunter2" not in caught.value.message
    assert "swordfish" not in caught.value.message


def test_an_empty_secret_is_told_apart_from_one_that_is_not_set() -> None:
    unset, empty = problems("run: x\nsecrets: [A, B]", env={"B": ""})
    assert "is not set" in unset.message
    assert "is empty" in empty.message


def test_a_secret_cannot_be_given_with_env_on_the_command_line() -> None:
    (problem,) = problems("run: x\nsecrets: [A]", env={"A": "x"}, overrides={"env": {"A": "y"}})
    assert (problem.line, problem.key) == (2, "secrets[0]")


# -- problems ---------------------------------------------------------------------------------------------


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
nmae: x
run: 42
env: {3A: x, N: }
resources: {gpu: [8xH100, T4], memory: 64}
limits: {runtime: 48}
checkpoint:
  every: soon
  store: /tmp/x
restart_on_exit: [0]
"""
    told = [(p.line, p.column, p.key) for p in problems(text)]
    assert told == [
        (1, 1, "nmae"),
        (2, 6, "run"),
        (3, 7, "env.3A"),
        (3, 14, "env.N"),
        (4, 19, "resources.gpu[0]"),
        (4, 32, "resources.memory"),
        (5, 19, "limits.runtime"),
        (7, 10, "checkpoint.every"),
        (8, 10, "checkpoint.store"),
        (9, 19, "restart_on_exit[0]"),
    ]


def test_a_problem_reads_as_file_line_column_key_message_and_hint() -> None:
    with pytest.raises(BadFile) as caught:
        read("run: x\nmarkt: spot\n")
    assert caught.value.message == ("jobs/My Job.yaml:2:1: markt: there is no such key\n  hint: did you mean market?")


@pytest.mark.parametrize("key", [k for k in JobModel.model_fields if k != "run"])
def test_every_key_that_is_misspelt_is_recognised(key: str) -> None:
    (problem,) = problems(f"run: x\n{key}x: 1")
    assert problem.hint == f"did you mean {key}?"


def test_unknown_keys_of_a_section_are_compared_with_its_own_keys() -> None:
    hints = {p.key: p.hint for p in problems("run: x\ncheckpoint: {evry: 1m, store: {url: 's3://b', regin: x}}")}
    assert hints == {"checkpoint.evry": "did you mean every?", "checkpoint.store.regin": "did you mean region?"}


def test_a_thousand_problems_are_not_all_told() -> None:
    told = problems("run: x\n" + "".join(f"key{i}: 1\n" for i in range(1000)))
    assert len(told) == 41
    assert told[-1].message == "and 960 more problems from here on"


def test_odd_keys_cannot_write_to_the_terminal() -> None:
    (problem,) = problems('run: x\n"a\\e[31m\\nb": 1')
    assert problem.key == r"'a\x1b[31m\nb'"


def test_a_job_name_leaves_room_for_the_rest_of_a_machine_name() -> None:
    assert len(f"sl-{'o' * 12}-{'j' * JOB_NAME_MOST}-999999-9") <= 63


BAD_YAML = {
    "env:\n\tA: 1\n": "a tab indents this line",
    "run: @x\n": "put the text in quotes",
    "run: 'x\n": "a quote is opened here",
    "a: [1, 2\nb: 3\n": "is opened here and not closed",
    "a: 1\n b: 2\n": "not valid YAML",
    "a:\n  - b\n c: 1": "not valid YAML",
    "a: - b": "not valid YAML",
    "%YAML 3.0\n---\na: 1": "not valid YAML",
    'a: "\\U00110000"': "not valid YAML",
    'a: "\\ud800"': "",
    "? [a]\n: b": "a key must be a word",
    "{" * 50_000: "a key must be a word",
    "[" * 50_000: "nested more than",
    "- " * 50_000: "nested more than",
    "x: *x": "is a YAML alias",
    "x: &x 1": "is a YAML anchor",
    "<<: {run: x}": "there is no such key",
    "a: !!binary x": "is a YAML tag",
    "run: x\n...\n---\nrun: y": "a second document",
}


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yamlread.LOADER], ids=["python", "c"])
@pytest.mark.parametrize("text", BAD_YAML)
def test_bad_yaml_is_told_in_words_by_either_parser(text: str, loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlread, "LOADER", loader)
    told = problems(text)
    assert any(BAD_YAML[text] in f"{p.message} {p.hint}" for p in told), told


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yamlread.LOADER], ids=["python", "c"])
def test_both_parsers_read_the_same_spec(loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlread, "LOADER", loader)
    assert read(WHOLE, env={"WANDB_API_KEY": "x"}).limits.attempts == 50


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["1h", "auto", "s3://b", "aws"]),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.text(max_size=6), st.sampled_from(["url", "gpu", "every", "dir"])), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
job_like = st.dictionaries(st.sampled_from([*JobModel.model_fields, "other"]), trees, max_size=8)


@settings(max_examples=150, deadline=None)
@given(job_like)
def test_whatever_is_in_the_file_a_spec_comes_out_or_a_bad_file(tree: Any) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True)
    try:
        spec = read(text)
    except BadFile as e:
        assert e.problems
        lines = text.count("\n") + 1
        assert all(1 <= p.line <= lines + 1 and p.column >= 1 and p.message for p in e.problems)
    else:
        assert spec_from_dict(json.loads(json.dumps(spec_to_dict(spec)))) == spec


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet="ab:-[]{}&*!|>'\"%@` \n\t#,?\\\0\ud800", max_size=60)))
def test_no_text_at_all_makes_the_reader_fall_over(text: str) -> None:
    with pytest.raises(BadFile):
        read(text + "\nno-such-key: 1\n")


@settings(max_examples=50, deadline=None)
@given(st.integers(min_value=0, max_value=len(WHOLE)), st.text(max_size=3))
def test_a_good_file_with_anything_typed_into_it_is_read_or_refused(at: int, typed: str) -> None:
    try:
        read(WHOLE[:at] + typed + WHOLE[at:], env={"WANDB_API_KEY": "x"})
    except BadFile as e:
        assert e.problems


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
specs = st.builds(
    Spec,
    name=st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True),
    run=st.text(),
    setup=st.text(),
    workdir=st.text(),
    image=st.text(),
    env=st.dictionaries(names, st.text()),
    secrets=st.lists(names).map(tuple),
    resources=st.builds(
        Resources,
        gpus=st.lists(st.tuples(st.text(), st.integers(1, 16))).map(tuple),
        cpus=st.floats(0, 1000),
        memory_gb=st.floats(0, 1000),
        disk_gb=st.floats(0, 1000),
    ),
    market=st.sampled_from(["auto", "spot", "on-demand"]),
    where=st.builds(Where, providers=st.lists(st.text()).map(tuple), regions=st.lists(st.text()).map(tuple)),
    limits=st.builds(
        Limits,
        price_usd_hour=st.none() | st.decimals(0, 1000, places=4),
        cost_usd=st.none() | st.decimals(0, 1000, places=4),
        runtime_s=st.none() | st.floats(0, 1e6),
        attempts=st.none() | st.integers(1, 100),
    ),
    fallback=st.builds(Fallback, patience_s=st.floats(0, 1e6), return_to_spot=st.booleans()),
    checkpoint=st.builds(
        CheckpointSpec,
        every_s=st.none() | st.floats(0, 1e6),
        signal=st.sampled_from(["", "USR1"]),
        store=st.builds(BlobStoreRef, url=st.text()),
    ),
    restart_on_exit=st.lists(st.integers(1, 255)).map(tuple),
)


@settings(max_examples=50, deadline=None)
@given(specs)
def test_a_spec_survives_the_book(spec: Spec) -> None:
    assert spec_from_dict(json.loads(json.dumps(spec_to_dict(spec)))) == spec


# -- what users start from --------------------------------------------------------------------------------


def test_the_template_is_a_job_for_the_rehearsal_provider() -> None:
    spec = read_job(JOB_TEMPLATE, file="job.yaml", names=["local"], env={})
    assert (spec.name, spec.where.providers) == ("hello", ("local",))


def test_the_template_shows_every_key_and_is_good_with_all_of_them_in_use() -> None:
    text = uncommented(JOB_TEMPLATE)
    read_job(text, file="job.yaml", names=NAMES, env={"WANDB_API_KEY": "x"})
    shown = yaml.safe_load(text)
    assert set(shown) == set(JobModel.model_fields)
    for key in ("resources", "where", "limits", "fallback", "checkpoint"):
        assert set(shown[key]) == set(JobModel.model_fields[key].annotation.model_fields), key  # type: ignore[union-attr]


def test_what_the_template_shows_as_defaults_are_the_defaults() -> None:
    spec, plain = read(uncommented(JOB_TEMPLATE), env={"WANDB_API_KEY": "x"}), read("run: x")
    assert replace(spec.fallback, look_every_s=None) == plain.fallback  # 5m there is an example
    assert (spec.workdir, spec.market) == (plain.workdir, plain.market)
    assert (spec.checkpoint.dir, spec.checkpoint.every_s) == (plain.checkpoint.dir, plain.checkpoint.every_s)
    assert (spec.checkpoint.keep, spec.checkpoint.grace_s) == (plain.checkpoint.keep, plain.checkpoint.grace_s)


def test_the_template_program_saves_when_told_to_leave_and_resumes(tmp_path: Path) -> None:
    spec = read_job(JOB_TEMPLATE, file="job.yaml", names=["local"], env={})
    progress, checkpoints = tmp_path / "progress.jsonl", tmp_path / "checkpoints"
    env = {
        "PATH": os.environ["PATH"],
        "STEPS": "5",
        "SPOTLAUNCH_CHECKPOINT_DIR": str(checkpoints),
        "SPOTLAUNCH_PROGRESS_FILE": str(progress),
    }
    first = subprocess.Popen(["/bin/sh", "-c", spec.run], env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while not progress.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        first.send_signal(signal.SIGTERM)
        said, _ = first.communicate(timeout=20)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 143, said
    step = max(json.loads(p.read_text())["step"] for p in checkpoints.glob("step-*.json"))
    assert 1 <= step < 5
    second = subprocess.run(
        ["/bin/sh", "-c", spec.run], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=True
    )
    assert f"beginning at step {step} of 5" in second.stdout
    steps = [json.loads(line) for line in progress.read_text().splitlines()]
    assert steps == [{"step": n, "total": 5} for n in range(1, 6)]
    assert sorted(p.name for p in checkpoints.iterdir())[-1] == "step-000005.json"


@pytest.mark.parametrize("file", sorted((ROOT / "configs/jobs").glob("*.yaml")), ids=lambda p: p.name)
def test_the_job_files_that_users_start_from_are_good(file: Path) -> None:
    env = {"HF_TOKEN": "x", "WANDB_API_KEY": "x"}
    names = ["aws", "gcp", "azure", "runpod", "vast", "local"]
    spec = read_job(file.read_text(), file=str(file), names=names, env=env)
    assert spec.run


def test_there_are_three_job_files_to_start_from() -> None:
    found = {p.name for p in (ROOT / "configs/jobs").glob("*.yaml")}
    assert {"minimal.yaml", "pytorch-resnet.yaml", "hf-finetune.yaml"} <= found


def test_only_reading_a_job_file_brings_in_yaml_and_pydantic() -> None:
    code = (
        "import sys, spotlaunch.core.units, spotlaunch.core.names, spotlaunch.core.gpus, spotlaunch.core.template, "
        "spotlaunch.storage.unbundle\n"
        "print([m for m in ('yaml', 'pydantic', 'pathspec') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert run.stdout.strip() == "[]"


def test_a_job_of_a_book_from_before_there_were_shells_has_none() -> None:
    raw = spec_to_dict(Spec(name="job", run="x", ssh=True, ssh_key="ssh-ed25519 AAAA job"))
    del raw["ssh"], raw["ssh_key"]
    assert spec_from_dict(raw) == Spec(name="job", run="x")


# -- deadlines -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2030-01-31T18:00Z", 1896112800.0),
        ("2030-01-31 18:00:30+01:00", 1896109230.0),
        ("2030-01-31T18:00-0930", 1896147000.0),
        ("2030-01-31T18:00", 1896112800.0),
    ],
)
def test_a_deadline_may_be_a_time_in_any_zone(written: str, moment: float) -> None:
    spec = read(f"run: x\ndeadline: {written}")
    assert (spec.deadline_at, spec.deadline_s) == (moment, None)


def test_a_deadline_without_a_zone_is_of_the_clock_on_the_wall_where_it_is_submitted() -> None:
    text = "run: x\ndeadline: 2030-01-31T18:00"
    examined = examine_job(text, file="j.yaml", names=NAMES, env={}, now=1.8e9, local=lambda wall_s: wall_s - 7200)
    assert examined.spec is not None and examined.spec.deadline_at == 1896112800.0 - 7200


def test_a_time_until_which_the_work_cannot_be_done_is_refused_as_a_duration_is() -> None:
    text = "run: x\nwork: 3h\ndeadline: 2030-01-31T18:00Z"
    examined = examine_job(text, file="j.yaml", names=NAMES, env={}, now=1896112800.0 - 7200)
    [problem] = examined.problems
    assert (problem.line, problem.key) == (2, "work")
    assert problem.message == "there are 2h until the deadline, and the work alone takes longer"
