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
from datagen.errors import DatagenError as DatagenError
from datagen.errors import TeacherError as TeacherError
from datagen.errors import UserError as UserError
from datagen.filters.contamination import Benchmarks as Benchmarks
from datagen.filters.duplicates import exact_duplicates as exact_duplicates
from datagen.filters.duplicates import near_duplicates as near_duplicates
from datagen.filters.novelty import Novelty as Novelty
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
from datagen.teacher.forecast import Forecast as Forecast

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
            Parquet or JSONL file.
        out: The run folder, by default runs/filter-SOURCE.
        filter: Your own filters, each as module:function. A filter gets a row and returns
            None, or the reason to reject it.
        exact_duplicates: Leave out prompts with the same words as an earlier one.
        near_duplicates: Leave out prompts whose 3-word shingles have at least this Jaccard
            similarity with an earlier one's, e.g. 0.8 (MinHash-LSH). 0 leaves the check
            out.
        embedding_duplicates: Leave out prompts whose embedding has at least this cosine
            with an earlier one's, e.g. 0.95. 0 leaves the check out.
        encoder: What makes the embeddings: characters (n-grams, built in), model2vec:NAME
            or sentence-transformers:NAME.
        against: Benchmarks whose test questions must not be in a prompt, with commas
            between them: gsm8k,svamp,bbh.
        data_root: Folder with the published files of the benchmarks; without it they come
            from the Hub.
        ngram_share: A prompt is contaminated when this share of a question's words stands
            in 8-word runs that both hold ...
        rouge_l: ... or when the longest common subsequence is over this share of the
            question's words.
        responses: Check the responses too: empty, cut off, refusals, repetitive, too short,
            too long.
        shortest: Shortest response, in words (zh: characters).
        longest: Longest response, in words (zh: characters).
        repetition: Largest share of a response's 4-word runs that may stand in it before.
        language: Language of the responses: their refusals and their lengths; en by
            default.
        templates: Folder with word lists of your own, which go before the shipped ones.
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
    prompt_tokens: int | None = None,
    max_tokens: int = 64,
) -> Run:
    """Build in-context episodes: demonstrations, a query, and what the teacher makes of it.

    Args:
        source: Tasks: micro (rules of the micro-world), a shipped mapping by name (bbh,
            glue, mmlu, superglue), your own YAML mapping, or a JSONL file of instructions
            with several instances each.
        kind: meta-ict: the student sees the demonstrations and learns to read them, on
            tasks apart from the test tasks; the completion is the gold. multitask-ict: it
            sees them on the very tasks; the completion is the teacher's vote over random
            subsets (arXiv 2212.10670). context-distillation: only the teacher sees them;
            the student sees the query, and the completion is the teacher's prediction
            (arXiv 2209.15189).
        strategy: How demonstrations are chosen: random, bm25, knn, votek, dpp, mdl, cone or
            teacher.
        shots: Numbers of demonstrations, mixed evenly over the queries: 0,1,2,4,8,16 for
            meta-ict, 16 for the others.
        episodes: Episodes of a query, each with the next of the numbers of demonstrations.
        split: Which queries: the training queries, or the test queries (meta-ict: those of
            the held-out tasks).
        tasks: Use these tasks or families only, separated by commas.
        held_out: Tasks or families kept for the test. By default meta-ict keeps a fifth of
            the families, chosen by their names, or of the tasks where there is one family.
        data_root: Folder with the files of a mapping; without it they come from the Hub.
        limit: Read the first LIMIT rows of every split of a source only.
        rules: Rules of each family of the micro-world.
        queries: Most training queries of a task, and most test queries; each at most a
            quarter of its examples.
        candidates: Most candidates of a task, drawn by the seed; all by default.
        format: How an episode is written; auto takes arrow for micro and qa for other
            sources.
        prompt_style: chat asks the teacher in one user turn; plain sends text for base
            models.
        describe: Where the task's description stands: first in every prompt; only where the
            student sees it instead of the demonstrations (context-distillation); nowhere.
        labels: Labels of classification tasks: as they are, arbitrary words, or exchanged
            with one another; drawn anew for every episode with demonstrations, so that only
            reading these helps (arXiv 2305.08298, 2303.03846).
        balance: Choose every label of a classification task equally often.
        considered: Nearest candidates among which mdl, cone and teacher decide, and most
            scores that a row keeps.
        encoder: Sentence encoder of the strategies that compare texts, for
            sentence-transformers; by default one that needs no download.
        generate: Demonstrations that the teacher writes for each task, from its description
            and a few candidates. Those whose output it gives again when asked join the
            candidates, marked as generated.
        agreement: Least share of the votes that must give the output of a written
            demonstration.
        votes: Subsets of multitask-ict (the strategy's own and random ones), and questions
            about a written demonstration.
        keep_by: With gold, an episode whose completion is the teacher's is kept only where
            that equals the gold.
        prompt_tokens: Longest prompt: the demonstrations farthest from the query are
            dropped until it fits. Counted by the tokenizer of the teacher where it has one,
            else as characters / 4. The teacher's context is kept in any case.
        max_tokens: Longest prediction, in tokens.

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
) -> Run:
    """Rewrite instructions into harder and rarer ones, round after round, with responses.

    Args:
        source: Instructions to begin with: a run folder, a dataset version (NAME or
            NAME@VERSION), a Parquet or JSONL file.
        limit: Begin with the first LIMIT instructions only.
        rounds: Evolutions tried one after the other on every instruction.
        weights: How often operations (the templates in `evolve/`) are drawn beside the
            others, such as "breadth=2,deepen=0.5". Those not named have 1; 0 leaves one
            out.
        keep_seeds: Whether the instructions one began with are rows too, as round 0, with
            the teacher's response.
        temperature: Of the rewriting.
        response_temperature: Of the responses; 0 is greedy. The judgement is always greedy.
        max_tokens: Longest text the teacher may write. What is cut off there is rejected.
        refusal_words: A response with a refusal in it is rejected when it is shorter than
            this, in words (Chinese: characters).

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
) -> Run:
    """Let an aligned model write instructions from its own chat template, and answer them.

    Args:
        target: How many rows to make.
        temperature: Of the instructions.
        response_temperature: Of the responses; 0 is greedy.
        max_tokens: Longest instruction or response, in tokens. What is cut off there is
            rejected.
        patience: End after this many instructions in a row of which none was kept.

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
    hints: int = 0,
    teacher_topk: int = 0,
) -> Run:
    """Sample chains of thought for questions, and keep those that agree.

    Args:
        source: Questions: a suite by name (gsm8k, svamp, bbh/navigate, microworld, ...), a
            JSONL, JSON, CSV or Parquet file, a dataset folder, or a dataset on the Hub
            (ORG/NAME).
        split: Split of a suite.
        data_root: Folder with the published files of the suites; without it they come from
            the Hub.
        question_column: Column of a file that holds the question.
        answer_column: Column of a file that holds the gold answer; empty ("") where there
            is none.
        answer_type: What a file's answers are; suites know theirs.
        limit: Use the first LIMIT questions only (microworld: how many to make, 500 by
            default).
        samples: Chains drawn per question; with --adaptive the most that are drawn.
        max_tokens: Longest chain, in tokens. A chain cut off there is rejected as
            truncated.
        prompt_style: chat sends messages; plain sends "Q: ... A: ..." text for base models.
        shots: JSONL of example chains (question, rationale) shown before every question;
            without it the prompt is zero-shot.
        adaptive: Stop drawing once the vote's leader is ahead with this posterior
            probability, e.g. 0.95 (Adaptive-Consistency, arXiv 2305.11860). 0 always draws
            all samples.
        keep_by: What makes a chain right: its answer equals the gold, or the majority's;
            auto takes gold where the question has one; none keeps every chain that has an
            answer (the unfiltered arm).
        min_agreement: With the majority: the least share of all chains that must give the
            winning answer.
        weighted: Weight votes by the chain's length-normalised probability instead of
            counting them.
        keep: Which right chains stay: all, the most probable one, or the most different
            ones.
        diverse: How many chains keep=diverse leaves per question.
        hints: For a question with gold that no chain solved: draw this many chains with the
            answer as a hint, and keep the right ones without it (rationalisation, STaR).
        teacher_topk: Store this many of the teacher's most probable tokens in the place of
            each token of a kept row, for `train kd`; what `datagen topk` does afterwards.
            0: none.

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
) -> Run:
    """Let the teacher answer an instruction set.

    Args:
        source: Instructions to answer: a run folder, a dataset version (NAME or
            NAME@VERSION), a Parquet or JSONL file.
        limit: Answer the first LIMIT instructions only.
        samples: Responses drawn per instruction. One that says the same as an earlier one
            is rejected as a duplicate.
        systems: Ask every instruction under a system prompt that wants an explanation,
            drawn from the templates in `systems/`.
        temperature: 0 is greedy.
        max_tokens: Longest response, in tokens. What is cut off there is rejected.

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
    patience: int = 100,
) -> Run:
    """Write new instructions from a few seed tasks, with inputs and outputs.

    Args:
        target: Stop when this many instructions are accepted. Each gives a row an instance,
            or none if all of them fail.
        mode: self-instruct: instructions first, then instances (arXiv 2212.10560). alpaca:
            20 tasks a call, each with its output. unnatural: instruction, input and
            constraints, then the output, then other wordings (arXiv 2212.09689).
        style: base sends text to complete, chat sends messages; auto takes base for micro
            and chat for others.
        seeds: Seed tasks (JSONL: id, instruction, instances, is_classification) instead of
            this project's own.
        in_context: Demonstrations in a prompt: 8, alpaca and unnatural 3, micro 4.
        machine: How many of them are of the machine's own, once there are any: 2, alpaca
            and unnatural 0, micro 1.
        per_call: New instructions asked for in a call: 7, alpaca 20, micro 3. A base model
            is stopped at the item after them.
        temperature: Of the calls for instructions: 0.7, alpaca and unnatural 1. Instances
            are greedy.
        top_p: Of the calls for instructions: 0.5, alpaca 1, unnatural 0.99.
        max_tokens: Longest answer to a call for instructions: 1024, alpaca 3072.
        cut_off: What an answer that reached its longest loses: all of it (Self-Instruct),
            or its last task (alpaca).
        instances: Most instances of an instruction.
        instance_tokens: Longest answer that writes instances or an output.
        paraphrases: Other wordings of each instruction in unnatural mode.
        similarity: An instruction more similar than this to a seed or to one before it is
            dropped (ROUGE-L F1).
        pool: Folder of an earlier run: its instructions and those it was compared with
            count as there already.
        lag: A call draws its demonstrations from the pool as it stood this many calls
            before, so that as many can be under way and the result does not depend on how
            many are. 1 is the paper's loop, one call after another.
        patience: Stop after so many calls in a row that gave nothing new, keep what there
            is, and exit with an error.

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
        out: The page, by default inspect.html in the run folder (RUN.html beside a version,
            which is never changed).
        rows: The search covers this many rows at most, drawn at random where there are
            more. A row is about a kilobyte.
        samples: Rows shown as samples of the accepted and of every reason.
        trees: Evolutions shown side by side, the longest first.
        seed: Of what is drawn at random.

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
            Parquet or JSONL file.
        rubric: What is scored, from 1 to 10: quality or helpfulness of the response,
            difficulty of the instruction, or a template of your own.
        at_least: Reject rows that score less. Without it every row that has a score stays.
        limit: Score the first LIMIT rows only.
        max_tokens: Longest judgement, in tokens. One that is cut off there counts as no
            score.
        structured: Have the endpoint hold the judge to a JSON schema (structured outputs),
            so that every judgement has a score.

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
        hub: Publish on the Hub: one commit with a tag. A command that was cut off is
            finished by giving it again.
        private: Make the repository a private one, where it does not exist yet on the Hub.
        store: Folder that holds the versions; default $EMERGENT_STORE, else ./datasets.
        version: Number to give, such as 2.0.0. By default: major where schema or method
            changed, minor where rows did or another family came, patch where only the card
            did, and no new version where nothing did.
        license: Licence identifier for the card, such as apache-2.0. None is invented.
        language: Language code for the card, such as en.
        shard_mb: Cut a config's Parquet file into parts of about this many megabytes.

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
        source: A finished run's folder, or a version: NAME@1.0.0, NAME for its newest, or
            its folder.
        out: The folder of the new run, by default runs/SOURCE-topk. The same command again
            resumes it.
        teacher: Whose probabilities: micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH; by
            default the teacher that wrote the rows.
        engine: Where the teacher answers: in this process, or on the workers of a Ray
            cluster. Changes no row.
        workers: Number of teachers with ray. By default as many as the cluster's GPUs hold,
            or one a machine.
        teacher_topk: How many of the most probable tokens are stored in the place of each
            token of a completion; the probability of all others is stored as one number. 6
            bytes each, and 8 a token.
        prompts: The same for the tokens of the prompts that the student is shown,
            demonstrations among them: what `train kd --lm_weight` learns from.
        family: Whose rows, where the version holds several families: rationales,
            instructions or demonstrations.
        store: Folder that holds the versions; default $EMERGENT_STORE, else ./datasets.

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
