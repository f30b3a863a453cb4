"""Types of the public API of datagen. Made by `python -m tests.stubs`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from datagen.answers import Vote as Vote
from datagen.answers import equal as equal
from datagen.answers import equation_validity as equation_validity
from datagen.answers import equations as equations
from datagen.answers import extract as extract
from datagen.answers import vote as vote
from datagen.api.generating import forecast as forecast
from datagen.api.run import Run as Run
from datagen.api.run import open_run as open_run
from datagen.api.teaching import connect as connect
from datagen.api.version import Version as Version
from datagen.api.version import load_version as load_version
from datagen.demonstrations.selection.tool import select_demonstrations as select_demonstrations
from datagen.errors import DatagenError as DatagenError
from datagen.errors import TeacherError as TeacherError
from datagen.errors import UserError as UserError
from datagen.filters.contamination import Benchmarks as Benchmarks
from datagen.filters.duplicates import exact_duplicates as exact_duplicates
from datagen.filters.near import near_duplicates as near_duplicates
from datagen.filters.novelty import Novelty as Novelty
from datagen.filters.responses import Refusals as Refusals
from datagen.filters.responses import Responses as Responses
from datagen.filters.row_filter import Reason as Reason
from datagen.publish.command import Comparison as Comparison
from datagen.records import Lineage as Lineage
from datagen.records import RunConfig as RunConfig
from datagen.records import RunStats as RunStats
from datagen.run.job import Incomplete as Incomplete
from datagen.schema import Accepted as Accepted
from datagen.schema import Rejected as Rejected
from datagen.teacher import Completion as Completion
from datagen.teacher import Request as Request
from datagen.teacher import Sampling as Sampling
from datagen.teacher.client import TeacherClient as TeacherClient
from datagen.teacher.cost.forecast import Forecast as Forecast

__version__: str
__all__: list[str]

def compare_versions(
    old: str,
    new: str,
    *,
    hub: bool = False,
    store: str | Path | None = None,
) -> Comparison:
    """What changed between two versions: columns, rows, counts by reason, teacher, sampling.

    Args:
        old: A version, such as ORG/NAME@1.0.0; without a number, the newest.
        new: The version to compare with it.
        hub: Look on the Hub.
        store: Folder that holds the versions; default $EMERGENT_STORE, else ./datasets.

    Raises:
        UserError: one of them does not exist.

    Example:
        >>> import datagen
        >>> store = folder / "store"
        >>> datagen.compare_versions("copy@1.0.0", "copy", store=store).lines
        ()
    """

def filter_rows(
    source: Any,
    *,
    filters: Sequence[Any] = (),
    out: str | Path | None = None,
    filter: Sequence[str] = (),
    exact_duplicates: bool = True,
    near_duplicates: float = 0.0,
    embedding_duplicates: float = 0.0,
    encoder: str = "characters",
    against: str = "",
    data_root: str | Path | None = None,
    ngram_share: float = 0.5,
    rouge_l: float = 0.7,
    responses: bool = False,
    shortest: int = 1,
    longest: int | None = None,
    repetition: float = 0.5,
    language: str | None = None,
    templates: str | Path | None = None,
    teacher_license: str | None = None,
) -> Run:
    """Leave out the rows of an instruction set that a check or a filter of yours rejects.

    Args:
        filters: functions from a row to None, or to the reason to reject it. They come first.
        source: Rows to filter: a run folder, a dataset version (NAME or NAME@VERSION), a
            file (JSONL, JSON, CSV, TSV or Parquet), a dataset folder, or a dataset on the
            Hub (ORG/NAME).
        out: The run folder. Default: runs/filter-SOURCE.
        filter: Your own filters, each as module:function. A filter gets a row and returns
            None, or the reason to reject it.
        exact_duplicates: Reject a prompt that has the same words as an earlier one.
        near_duplicates: Reject a prompt if the Jaccard similarity of its 3-word sequences
            with an earlier prompt is at least this value, such as 0.8. 0 switches the check
            off.
        embedding_duplicates: Reject a prompt if the cosine of its embedding with an earlier
            one is at least this value, such as 0.95. 0 switches the check off.
        encoder: What computes the embeddings: characters (built in), model2vec:NAME or
            sentence-transformers:NAME.
        against: Benchmarks whose test questions must not occur in a prompt. Separate names
            with commas: gsm8k,svamp,bbh.
        data_root: Folder that holds the published files of the benchmarks. Default: they
            come from the Hub.
        ngram_share: Reject a prompt if at least this fraction of a benchmark question's
            words is covered by 8-word sequences that the prompt shares with it.
        rouge_l: Reject a prompt if its longest common subsequence with a benchmark question
            covers more than this fraction of the question's words.
        responses: Check the responses too: reject those that are empty, cut off, refusals,
            repetitive, too short or too long.
        shortest: Shortest response in words (Chinese: characters).
        longest: Longest response in words (Chinese: characters). Default: no limit.
        repetition: Reject a response if more than this fraction of its 4-word sequences
            occurred in it before.
        language: Language of the responses: en or zh. It decides the refusal phrases and
            how lengths are counted. Default: en.
        templates: Folder with your own word lists. A file in it replaces the shipped file
            of the same name.
        teacher_license: Licence of the teacher that wrote the rows, such as apache-2.0, for
            lineage and card.


    Returns:
        The run. Each rejected row has its reason, and what the check met.

    Raises:
        UserError: a setting, the source or a benchmark cannot be read.

    Example:
        >>> import datagen
        >>> def short(row):
        ...     return "short" if len(row["instruction"]) < 5 else None
        >>> run = datagen.filter_rows(folder / "new", filters=[short], out=folder / "clean")
        >>> run.config.teacher.name
        'none'
    """

def generate_demonstrations(
    source: Any,
    *,
    out: str | Path | None = None,
    teacher: str = "micro",
    teacher_license: str | None = None,
    thinking: bool | None = None,
    chat_template_kwargs: dict[str, Any] | str | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    seed: int = 0,
    concurrency: int = 64,
    timeout: float = 300.0,
    deadline: float = 1800.0,
    outage: float = 600.0,
    batch: bool = False,
    prices: str | Path | None = None,
    budget: str = "",
    kind: Literal["meta-ict", "multitask-ict", "context-distillation"] = "meta-ict",
    strategy: str = "random",
    shots: str = "",
    episodes: int = 1,
    split: Literal["train", "test"] = "train",
    tasks: str = "",
    held_out: str = "",
    data_root: str | Path | None = None,
    limit: int | None = None,
    rules: int = 8,
    queries: int = 50,
    candidates: int | None = None,
    format: Literal["auto", "arrow", "qa", "input_output"] = "auto",
    prompt_style: Literal["chat", "plain"] = "chat",
    describe: Literal["always", "instead", "never"] = "instead",
    labels: Literal["natural", "symbolic", "flipped"] = "natural",
    balance: bool = False,
    considered: int = 32,
    encoder: str = "",
    generate: int = 0,
    agreement: float = 0.6,
    votes: int = 5,
    keep_by: Literal["all", "gold"] = "all",
    reasoning: Literal["keep", "separate", "drop"] = "separate",
    prompt_tokens: int | None = None,
    max_tokens: int = 64,
) -> Run:
    """Build in-context episodes: demonstrations, a query, and what the teacher makes of it.

    Args:
        source: Tasks to build episodes of: micro (rules of the micro-world), a shipped
            mapping by name (bbh, glue, mmlu, superglue), your own YAML mapping, or a file
            of instructions with several instances each.
        kind: meta-ict: the student sees the demonstrations and learns to read them; test
            tasks are kept apart; the completion is the gold answer. multitask-ict: it sees
            them for the very tasks; the completion is the teacher's majority over random
            subsets (arXiv 2212.10670). context-distillation: only the teacher sees them;
            the completion is the teacher's prediction (arXiv 2209.15189).
        strategy: How demonstrations are chosen for a query: random, bm25, knn, votek, dpp,
            mdl, cone or teacher.
        shots: Numbers of demonstrations, spread evenly over the queries. Default:
            0,1,2,4,8,16 for meta-ict, 16 for the other kinds.
        episodes: Episodes to build for each query. Each takes the next number of
            demonstrations.
        split: Which queries to use: the training queries or the test queries. For meta-ict
            the test queries are those of the held-out tasks.
        tasks: Use only these tasks or families. Separate names with commas.
        held_out: Tasks or families to keep for the test. Default: meta-ict keeps a fifth of
            the families, chosen by their names; where there is one family, a fifth of the
            tasks.
        data_root: Folder with the files that a mapping names. Default: they come from the
            Hub.
        limit: Read only the first LIMIT rows of every split.
        rules: Rules to draw from each family of the micro-world.
        queries: Most training queries, and most test queries, of a task. Neither takes more
            than a quarter of its examples.
        candidates: Most candidate demonstrations of a task; the seed draws them. Default:
            all.
        format: How an episode is written. auto takes arrow for micro and qa for other
            sources.
        prompt_style: chat asks the teacher in one user turn. plain sends text, for base
            models.
        describe: Where the description of the task stands. always: first in every prompt.
            instead: only in the student's prompt of context-distillation, in the place of
            the demonstrations. never: nowhere.
        labels: Labels of classification tasks. natural: as they are. symbolic: arbitrary
            words. flipped: exchanged with one another. New labels are drawn for every
            episode, so that only reading the demonstrations helps (arXiv 2305.08298,
            2303.03846).
        balance: Choose every label of a classification task equally often.
        considered: How many of the nearest candidates mdl, cone and teacher compare. A row
            keeps at most this many scores.
        encoder: Sentence encoder for strategies that compare texts, by its
            sentence-transformers name. Default: a built-in encoder that needs no download.
        generate: Demonstrations that the teacher writes for each task, from its description
            and a few candidates. A written demonstration joins the candidates, marked as
            generated, if the teacher gives the same output again when asked.
        agreement: Keep a written demonstration only if at least this share of the votes
            gives its output.
        votes: Subsets that multitask-ict votes over (the strategy's own and random ones),
            and questions asked about each written demonstration.
        keep_by: all: keep every episode. gold: keep an episode whose completion is the
            teacher's only if it equals the gold answer.
        reasoning: What a row holds of the reasoning of a model that reasons. separate: the
            completion is the prediction alone, and the column reasoning has the rest. keep:
            the completion is the reasoning, between <think> and </think>, and then the
            prediction (not for meta-ict, whose completion is the gold answer). drop: the
            reasoning is left out.
        prompt_tokens: Longest prompt in tokens. The demonstrations farthest from the query
            are left out until the prompt fits. Tokens are counted by the teacher's
            tokenizer, or as characters / 4 where it has none here. The teacher's context is
            never exceeded.
        max_tokens: Longest prediction in tokens.

    Returns:
        The run, with the config `demonstrations`.

    Raises:
        UserError: a setting, the tasks or the teacher cannot be used.

    Source:
        Meta-ICT and Multitask-ICT, arXiv 2212.10670; context distillation, arXiv 2209.15189.

    Example:
        >>> import datagen
        >>> run = datagen.generate_demonstrations(
        ...     "micro", shots="1,2", rules=1, queries=2, out=folder / "episodes"
        ... )
        >>> next(run.rows())["kind"]
        'meta-ict'
    """

def generate_evol_instruct(
    source: Any,
    *,
    out: str | Path | None = None,
    teacher: str = "micro",
    teacher_license: str | None = None,
    thinking: bool | None = None,
    chat_template_kwargs: dict[str, Any] | str | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    seed: int = 0,
    concurrency: int = 64,
    timeout: float = 300.0,
    deadline: float = 1800.0,
    outage: float = 600.0,
    batch: bool = False,
    prices: str | Path | None = None,
    budget: str = "",
    language: str | None = None,
    templates: str | Path | None = None,
    limit: int | None = None,
    rounds: int = 4,
    weights: str = "",
    keep_seeds: bool = True,
    temperature: float = 1.0,
    top_p: float = 0.95,
    response_temperature: float = 1.0,
    max_tokens: int = 2048,
    refusal_words: int = 80,
    reasoning: Literal["keep", "separate", "drop"] = "separate",
) -> Run:
    """Rewrite instructions into harder and rarer ones, round after round, with responses.

    Args:
        source: Instructions to begin with: a run folder, a dataset version (NAME or
            NAME@VERSION), a file (JSONL, JSON, CSV, TSV or Parquet), a dataset folder, or a
            dataset on the Hub (ORG/NAME).
        limit: Begin with only the first LIMIT instructions.
        rounds: Rounds of evolution. Each round tries one operation on every instruction.
        weights: How often each operation (a template in `evolve/`) is drawn, such as
            "breadth=2,deepen=0.5". An operation that is not named has weight 1; weight 0
            leaves it out.
        keep_seeds: Keep the instructions of the source as rows of round 0, with the
            teacher's response.
        temperature: Temperature of the rewriting.
        top_p: Nucleus sampling of the rewriting and of the responses.
        response_temperature: Temperature of the responses; 0 is greedy. The judgement is
            always greedy.
        max_tokens: Longest text that the teacher may write, in tokens. A longer text is
            rejected as truncated.
        refusal_words: Reject a response that holds a refusal phrase if it has fewer words
            than this (Chinese: characters).
        reasoning: What a row holds of the reasoning of a model that reasons. separate: the
            response is the answer alone, and the column reasoning has the rest. keep: the
            response is the reasoning, between <think> and </think>, and then the answer.
            drop: the reasoning is left out. What the model thinks about the instruction is
            never kept.

    Returns:
        The run, with the config `instructions`.

    Raises:
        UserError: a setting, the source or the teacher cannot be used.

    Source:
        Evol-Instruct, arXiv 2304.12244.

    Example:
        >>> import datagen
        >>> run = datagen.generate_evol_instruct(
        ...     datagen.open_run(folder / "new"), rounds=1, limit=2, out=folder / "evolved"
        ... )
        >>> run.config.method
        'evol-instruct'
    """

def generate_magpie(
    target: int,
    *,
    out: str | Path | None = None,
    teacher: str = "micro",
    teacher_license: str | None = None,
    thinking: bool | None = None,
    chat_template_kwargs: dict[str, Any] | str | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    seed: int = 0,
    concurrency: int = 64,
    timeout: float = 300.0,
    deadline: float = 1800.0,
    outage: float = 600.0,
    batch: bool = False,
    prices: str | Path | None = None,
    budget: str = "",
    language: str | None = None,
    templates: str | Path | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    response_temperature: float = 0.0,
    max_tokens: int = 2048,
    patience: int = 100,
    reasoning: Literal["keep", "separate", "drop"] = "separate",
) -> Run:
    """Let an aligned model write instructions from its own chat template, and answer them.

    Args:
        target: How many rows to make.
        temperature: Temperature of the instructions. Above 0, or every instruction would be
            the same.
        top_p: Nucleus sampling of the instructions.
        response_temperature: Temperature of the responses; 0 is greedy.
        max_tokens: Longest instruction or response, in tokens. A longer one is rejected as
            truncated.
        patience: Stop after this many rejected instructions in a row. What was found is
            kept.
        reasoning: What a row holds of the reasoning of a model that reasons. separate: the
            response is the answer alone, and the column reasoning has the rest. keep: the
            response is the reasoning, between <think> and </think>, and then the answer.
            drop: the reasoning is left out.

    Returns:
        The run, with the config `instructions`.

    Raises:
        UserError: the teacher hides its chat template, or a setting cannot be used.
        Incomplete: patience ended before the target. What was found is kept.

    Source:
        Magpie, arXiv 2406.08464.

    Example:
        >>> import datagen
        >>> datagen.generate_magpie(3, teacher="openai:any")
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: magpie needs the model's own chat template, which openai:any hides: use micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH
    """

def generate_rationales(
    source: Any,
    *,
    out: str | Path | None = None,
    teacher: str = "micro",
    teacher_license: str | None = None,
    thinking: bool | None = None,
    chat_template_kwargs: dict[str, Any] | str | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    seed: int = 0,
    concurrency: int = 64,
    timeout: float = 300.0,
    deadline: float = 1800.0,
    outage: float = 600.0,
    batch: bool = False,
    prices: str | Path | None = None,
    budget: str = "",
    split: str = "train",
    data_root: str | Path | None = None,
    question_column: str = "question",
    answer_column: str = "answer",
    answer_type: Literal["number", "choice", "yesno", "text"] = "number",
    limit: int | None = None,
    samples: int = 8,
    temperature: float = 0.7,
    top_p: float = 1.0,
    max_tokens: int = 512,
    prompt_style: Literal["chat", "plain"] = "chat",
    shots: str | Path | None = None,
    adaptive: float = 0.0,
    keep_by: Literal["auto", "gold", "majority", "none"] = "auto",
    min_agreement: float = 0.5,
    weighted: bool = False,
    keep: Literal["all", "best", "diverse"] = "all",
    diverse: int = 4,
    reasoning: Literal["keep", "separate", "drop"] = "keep",
    hints: int = 0,
    teacher_topk: int = 0,
) -> Run:
    """Sample chains of thought for questions, and keep those that agree.

    Args:
        source: Questions to reason about: a suite by name (gsm8k, svamp, bbh/navigate,
            microworld, ...), a JSONL, JSON, CSV or Parquet file, a dataset folder, or a
            dataset on the Hub (ORG/NAME).
        split: Split of the suite or the dataset. A file of one table has no splits.
        data_root: Folder that holds the published files of the suites. Default: they come
            from the Hub.
        question_column: Column of a file that holds the question.
        answer_column: Column of a file that holds the gold answer. Set it to "" where the
            file has no answers; then chains are kept by majority.
        answer_type: Type of the answers in a file. Suites know their own type.
        limit: Use only the first LIMIT questions. The micro-world makes LIMIT questions;
            its default is 500.
        samples: Chains to sample for each question. With --adaptive this is the most that
            are sampled.
        temperature: Sampling temperature. Above 0, or all chains of a question would be the
            same.
        top_p: Nucleus sampling: sample from the most probable tokens that reach this
            probability together.
        max_tokens: Longest chain in tokens. A longer chain is cut off, and rejected as
            truncated.
        prompt_style: chat sends messages. plain sends text of the form "Q: ... A:", for
            base models.
        shots: JSONL file of example chains (columns question and rationale) to show before
            every question. Default: none, a zero-shot prompt.
        adaptive: Stop sampling a question once the leading answer will win the vote with
            this probability, such as 0.95 (Adaptive-Consistency, arXiv 2305.11860). 0
            always draws all samples.
        keep_by: Which chains are correct. gold: their answer equals the gold answer.
            majority: it equals the most frequent answer. auto: gold where the question has
            a gold answer, else majority. none: keep every chain that has an answer, as an
            unfiltered baseline.
        min_agreement: With majority: reject all chains of a question if fewer than this
            share of them give the winning answer.
        weighted: Weight each vote by the chain's probability, normalised by its length,
            instead of counting every chain once.
        keep: Which of the correct chains to keep: all of them, the most probable one
            (best), or the most different ones (diverse).
        diverse: How many chains of a question --keep diverse keeps.
        reasoning: What a row holds of the reasoning of a model that reasons. keep: the
            rationale is the reasoning, between <think> and </think>, and then the answer.
            separate: the rationale is the answer alone, and the column reasoning has the
            rest. drop: the reasoning is left out.
        hints: If no chain reached the gold answer, ask this many more times with the gold
            answer shown. Chains that are then correct are kept; the hint is removed from
            their prompts (rationalisation, STaR, arXiv 2203.14465). 0: never.
        teacher_topk: Store the teacher's K most probable tokens for every token of a kept
            completion, for `train kd`. `datagen topk` can do the same afterwards. 0: store
            nothing.

    Returns:
        The run. Its configs are `rationales`, `answers` and `rejected`.

    Raises:
        UserError: a setting, the source or the teacher cannot be used.

    Source:
        Self-consistency, arXiv 2203.11171; Fine-tune-CoT, arXiv 2212.10071; STaR, arXiv 2203.14465.

    Example:
        >>> import datagen
        >>> run = datagen.generate_rationales("microworld", limit=4, samples=2, out=folder / "r")
        >>> sum(run.stats.accepted.values()) + sum(run.stats.rejected.values()) >= 8
        True
    """

def generate_responses(
    source: Any,
    *,
    out: str | Path | None = None,
    teacher: str = "micro",
    teacher_license: str | None = None,
    thinking: bool | None = None,
    chat_template_kwargs: dict[str, Any] | str | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    seed: int = 0,
    concurrency: int = 64,
    timeout: float = 300.0,
    deadline: float = 1800.0,
    outage: float = 600.0,
    batch: bool = False,
    prices: str | Path | None = None,
    budget: str = "",
    language: str | None = None,
    templates: str | Path | None = None,
    limit: int | None = None,
    samples: int = 1,
    systems: bool = False,
    temperature: float = 0.7,
    top_p: float = 1.0,
    max_tokens: int = 2048,
    reasoning: Literal["keep", "separate", "drop"] = "separate",
) -> Run:
    """Let the teacher answer an instruction set.

    Args:
        source: Instructions to answer: a run folder, a dataset version (NAME or
            NAME@VERSION), a file (JSONL, JSON, CSV, TSV or Parquet), a dataset folder, or a
            dataset on the Hub (ORG/NAME).
        limit: Answer only the first LIMIT instructions.
        samples: Responses to sample for each instruction. A response that repeats an
            earlier one is rejected as duplicate.
        systems: Ask every instruction under a system prompt that wants an explanation. The
            prompt is drawn from the templates in `systems/` (Orca, arXiv 2306.02707).
        temperature: Sampling temperature; 0 is greedy.
        top_p: Nucleus sampling: sample from the most probable tokens that reach this
            probability together.
        max_tokens: Longest response in tokens. A longer response is rejected as truncated.
        reasoning: What a row holds of the reasoning of a model that reasons. separate: the
            response is the answer alone, and the column reasoning has the rest. keep: the
            response is the reasoning, between <think> and </think>, and then the answer.
            drop: the reasoning is left out.

    Returns:
        The run, with the config `instructions`.

    Raises:
        UserError: a setting, the source or the teacher cannot be used.

    Source:
        With `systems`: Orca, arXiv 2306.02707.

    Example:
        >>> import datagen
        >>> run = datagen.generate_responses(folder / "new", limit=2, out=folder / "answered")
        >>> run.config.method
        'respond'
    """

def generate_self_instruct(
    *,
    out: str | Path | None = None,
    teacher: str = "micro",
    teacher_license: str | None = None,
    thinking: bool | None = None,
    chat_template_kwargs: dict[str, Any] | str | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    seed: int = 0,
    concurrency: int = 64,
    timeout: float = 300.0,
    deadline: float = 1800.0,
    outage: float = 600.0,
    batch: bool = False,
    prices: str | Path | None = None,
    budget: str = "",
    language: str | None = None,
    templates: str | Path | None = None,
    target: int = 1000,
    mode: Literal["self-instruct", "alpaca", "unnatural"] = "self-instruct",
    style: Literal["auto", "base", "chat"] = "auto",
    seeds: str | Path | None = None,
    in_context: int | None = None,
    machine: int | None = None,
    per_call: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    cut_off: Literal["all", "last"] | None = None,
    instances: int = 5,
    instance_tokens: int = 350,
    paraphrases: int = 2,
    similarity: float = 0.7,
    pool: str | Path | None = None,
    lag: int = 64,
    reasoning: Literal["keep", "separate", "drop"] = "separate",
    patience: int = 100,
) -> Run:
    """Write new instructions from a few seed tasks, with inputs and outputs.

    Args:
        target: Stop when this many instructions are accepted. An accepted instruction gives
            one row per sound instance; it can have none.
        mode: self-instruct: ask for instructions, then for their instances (arXiv
            2212.10560). alpaca: ask for 20 tasks at once, each with its output. unnatural:
            ask for instruction, input and constraints, then for the output, then for other
            wordings (arXiv 2212.09689).
        style: base sends text to be continued, chat sends messages. auto takes base for
            micro and chat for all others.
        seeds: Your own seed tasks, in a file (such as JSONL) with id, instruction,
            instances and is_classification. Default: the seed tasks of this project.
        in_context: Demonstrations in a prompt. Default: 8; alpaca and unnatural 3; micro 4.
        machine: How many of the demonstrations are instructions that the teacher wrote,
            once there are any. Default: 2; alpaca and unnatural 0; micro 1.
        per_call: New instructions to ask for in one call. Default: 7; alpaca 20; micro 3.
        temperature: Temperature of the calls for instructions. Default: 0.7; alpaca and
            unnatural 1. Instances are always greedy.
        top_p: Nucleus sampling in the calls for instructions. Default: 0.5; alpaca 1;
            unnatural 0.99.
        max_tokens: Longest answer to a call for instructions, in tokens. Default: 1024;
            alpaca 3072.
        cut_off: What is dropped from an answer that was cut off: all of it (the default of
            self-instruct) or only its last task (the default of alpaca).
        instances: Most instances of one instruction.
        instance_tokens: Longest answer that holds instances or an output, in tokens.
        paraphrases: Other wordings of each instruction to ask for in unnatural mode.
        similarity: Reject an instruction whose ROUGE-L F1 with a seed or an earlier
            instruction is above this value.
        pool: Folder of an earlier run. Its instructions, and those that it was compared
            with, count as known.
        lag: A call draws its demonstrations from the pool as it was this many calls ago. So
            that many calls can run at once, and the result does not depend on how many do.
            1 is the paper's loop: one call after another.
        reasoning: What a row holds of the reasoning of a model that reasons, before the
            text with the output. separate: the column reasoning has it. keep: the
            completion has it too, between <think> and </think>, before the output. drop: it
            is left out.
        patience: Stop after this many calls in a row without a new instruction. What was
            found is kept, and the command exits with an error.

    Returns:
        The run, with the config `instructions`.

    Raises:
        UserError: a setting, the seeds or the teacher cannot be used.
        Incomplete: patience ended before the target. What was found is kept.

    Source:
        Self-Instruct, arXiv 2212.10560.

    Example:
        >>> import datagen
        >>> run = datagen.generate_self_instruct(target=3, out=folder / "new")
        >>> run.stats.accepted["instructions"] > 0
        True
    """

def inspect_run(
    run: Path | Any,
    *,
    out: str | Path | None = None,
    rows: int = 5000,
    samples: int = 3,
    trees: int = 6,
    seed: int = 0,
) -> Path:
    """Write one HTML page about a run or a version: counts, lengths, samples, search.

    Args:
        run: A run folder, finished or not, or the folder of a published version.
        out: The file of the page. By default this is inspect.html in the run folder. For a
            version, which never changes, it is VERSION.html beside the version's folder.
        rows: The search covers at most this many rows. If the run has more, they are drawn
            at random. Each row adds about a kilobyte to the page.
        samples: Sample rows of the accepted rows, and of the rows rejected for each reason.
        trees: Evolutions of Evol-Instruct on the page, those with the most rounds first.
        seed: The seed for drawing rows and samples. The same seed gives the same page.

    Returns:
        The page.

    Raises:
        UserError: there is no run in that folder.

    Example:
        >>> import datagen
        >>> datagen.inspect_run(folder / "chains").name
        'inspect.html'
    """

def judge_rows(
    source: Any,
    *,
    out: str | Path | None = None,
    teacher: str = "micro",
    teacher_license: str | None = None,
    thinking: bool | None = None,
    chat_template_kwargs: dict[str, Any] | str | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    seed: int = 0,
    concurrency: int = 64,
    timeout: float = 300.0,
    deadline: float = 1800.0,
    outage: float = 600.0,
    batch: bool = False,
    prices: str | Path | None = None,
    budget: str = "",
    language: str | None = None,
    templates: str | Path | None = None,
    rubric: str = "quality",
    at_least: float | None = None,
    limit: int | None = None,
    max_tokens: int = 512,
    structured: bool = False,
) -> Run:
    """Let a judge score instruction rows by a rubric, and keep those that score enough.

    Args:
        source: Rows to score: a run folder, a dataset version (NAME or NAME@VERSION), a
            file (JSONL, JSON, CSV, TSV or Parquet), a dataset folder, or a dataset on the
            Hub (ORG/NAME).
        rubric: What to score, from 1 to 10: quality or helpfulness of the response,
            difficulty of the instruction, or a template of your own.
        at_least: Reject rows with a lower score. Default: keep every row that has a score.
        limit: Score only the first LIMIT rows.
        max_tokens: Longest judgement in tokens. A longer judgement counts as no score.
        structured: Ask the endpoint to hold the judge to a JSON schema (structured
            outputs), so that every judgement has a score.

    Returns:
        The run. Every row has its `score`, from 1 to 10.

    Raises:
        UserError: a setting, the source or the judge cannot be used.

    Example:
        >>> import datagen
        >>> datagen.judge_rows(folder / "new", at_least=11)
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: --at_least 11.0: must be between 1 and 10
    """

def list_versions(
    name: str,
    *,
    hub: bool = False,
    store: str | Path | None = None,
) -> list[Version]:
    """All versions of a dataset, oldest first.

    Args:
        name: Name of the dataset.
        hub: Look on the Hub.
        store: Folder that holds the versions; default $EMERGENT_STORE, else ./datasets.

    Raises:
        UserError: there is no dataset of that name.

    Example:
        >>> import datagen
        >>> [v.version for v in datagen.list_versions("copy", store=folder / "store")]
        ['1.0.0']
    """

def publish_run(
    run: Path | Any,
    name: str,
    *,
    hub: bool = False,
    private: bool = False,
    store: str | Path | None = None,
    version: str | None = None,
    license: str | None = None,
    language: str | None = None,
    shard_mb: int = 500,
) -> Version:
    """Make an immutable, numbered version of a finished run.

    Args:
        run: The run folder.
        name: Name of the dataset, such as gsm8k-rationales or ORG/NAME.
        hub: Publish on the Hub: one commit with one tag. The same command finishes one that
            was interrupted.
        private: Make the repository private, if it does not exist on the Hub yet.
        store: Folder that holds the versions; default $EMERGENT_STORE, else ./datasets.
        version: Number to give, such as 2.0.0. Default: a new major version where schema or
            method changed, a minor one where rows changed or another family was added, a
            patch where only the card changed, and none where nothing changed.
        license: Licence identifier of the dataset for its card, such as apache-2.0.
            Default: the card states none.
        language: Language code for the card, such as en.
        shard_mb: Split a config's Parquet file into parts of about this many megabytes.

    Returns:
        The version. The same content again gives the version that holds it already.

    Raises:
        UserError: the run is not finished, or the name or the number cannot be used.

    Example:
        >>> import datagen
        >>> datagen.publish_run(folder / "chains", "copy", store=folder / "store").version
        '1.0.0'
    """

def pull_version(
    reference: str,
    *,
    store: str | Path | None = None,
) -> Version:
    """Bring a version of the Hub into the local store, its hashes checked.

    Args:
        reference: The version, such as ORG/NAME@1.0.0; without a number, the newest.
        store: Folder that holds the versions; default $EMERGENT_STORE, else ./datasets.

    Raises:
        UserError: the Hub has no such version, or the store has another of that number.

    Example:
        >>> import datagen
        >>> datagen.pull_version("no-organisation")
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: 'no-organisation': on the Hub a name is ORG/NAME, or USER/NAME
    """

def store_topk(
    source: Any,
    *,
    out: str | Path | None = None,
    teacher: str | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    teacher_topk: int = 64,
    prompts: bool = False,
    family: str | None = None,
    store: str | Path | None = None,
) -> Run:
    """Store a teacher's probabilities for the rows of a run or a version, for `train.fit_kd`.

    Args:
        source: Rows to extend: a finished run's folder, or a version (NAME@1.0.0, NAME for
            its newest, or its folder).
        out: The folder of the new run. Default: runs/SOURCE-topk. The same command again
            resumes it.
        teacher: Whose probabilities to store: micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH.
            Default: the teacher that wrote the rows.
        engine: Where the teacher answers: in this process, or on the workers of a Ray
            cluster. Changes no row.
        workers: Number of teachers with ray. By default as many as the cluster's GPUs hold,
            or one a machine.
        teacher_topk: How many of the most probable tokens to store for each token of a
            completion. The probability of all other tokens is stored as one number. Each
            stored token takes 6 bytes, and each position 8 more.
        prompts: Store the same for the tokens of the student's prompts, demonstrations
            included. `train kd --lm_weight` learns from them.
        family: Whose rows to take where a version holds several families: rationales,
            instructions or demonstrations.
        store: Folder that holds the versions. Default: $EMERGENT_STORE, else ./datasets.

    Returns:
        A run of the same rows with the column `teacher_topk`.

    Raises:
        UserError: the rows or the teacher cannot be used.

    Example:
        >>> import datagen
        >>> run = datagen.store_topk(folder / "chains", teacher_topk=4, out=folder / "topk")
        >>> run.stats["teacher_topk"]["k"]
        4
    """

def verify_version(
    reference: str,
    *,
    hub: bool = False,
    store: str | Path | None = None,
) -> Version:
    """Recompute every hash of a version.

    Args:
        reference: The version, such as ORG/NAME@1.0.0; without a number, the newest.
        hub: Look on the Hub.
        store: Folder that holds the versions; default $EMERGENT_STORE, else ./datasets.

    Returns:
        The version, if it is as it was published.

    Raises:
        UserError: a file differs; the first is named.

    Example:
        >>> import datagen
        >>> datagen.verify_version("copy", store=folder / "store").reference
        'copy@1.0.0'
    """
