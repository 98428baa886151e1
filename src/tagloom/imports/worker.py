"""Works on imports: leases an import, plans or applies it, and continues where a dead process stopped.

The lease only prevents double work. The steps ensure correctness: each step is committed once, together with its place
in the import, whichever process commits the step.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, suppress

import structlog
from msgspec.structs import replace

from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.base.text import plural
from tagloom.base.times import rfc3339
from tagloom.files.attribute_columns import cells_from
from tagloom.files.decoding import Remark
from tagloom.files.suspicious_ids import OddIds
from tagloom.imports import limits
from tagloom.imports.lease import AttemptCounter, Leases, Lost, WorkerStores
from tagloom.imports.lifecycle import Imports, tally_of
from tagloom.imports.parts import parts_of
from tagloom.imports.resume import rest_of, shifted
from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports import limits as ports_limits
from tagloom.ports.imports import APPLIED, Hold, Import, ImportState, Plan
from tagloom.ports.population import Population
from tagloom.ports.problems import (
    BodyOutdated,
    ImportChanged,
    ImportNotFound,
    ImportSealed,
    PlanOutdated,
    StepTaken,
    StoreUnavailable,
)
from tagloom.ports.writes import Apply, BatchRules, Part, Step, WriteOptions
from tagloom.tagging.preview import Previews
from tagloom.words import rejections
from tagloom.words.changes import Origin
from tagloom.words.periods import PeriodTexts, period_of_texts
from tagloom.words.problems import MirrorEmpty
from tagloom.words.receipts import Mode, Preview, Receipt
from tagloom.words.rejections import MirrorUnreadable
from tagloom.words.tags import is_at_or_below, parse_tag
from tagloom.words.tenants import Environment

ACTION = "import"
# In these modes all lines of a person are needed at once, so the whole file is one step.
WHOLE_MODES: tuple[Mode, ...] = ("set", "mirror")
# The problems of a step that another writer made outdated while the step was read.
_OVERTAKEN = (ImportSealed, StepTaken, ImportChanged, BodyOutdated)
_SECONDS_BETWEEN_REPORTS = 0.5
_SECONDS_BETWEEN_TRIES_MAX = 10.0

log = structlog.get_logger()


class Worker:
    """A worker that carries out the actions of `Imports`, one import at a time.

    The work runs in a thread of the worker or in the caller's thread.
    """

    def __init__(
        self,
        imports: Imports,
        control: WorkerStores,
        previews: Previews,
        population_of: Callable[[Environment], Population],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._imports = imports
        self._control = control
        self._previews = previews
        self._population_of = population_of
        self._now = now
        self._leases = Leases(control, now, imports.folder)
        self._attempts = AttemptCounter()
        self._committing: Future[Receipt] | None = None
        self._rows = 0
        self._loop = BackgroundLoop(self.work_once, seconds=limits.IMPORT_SECONDS_BETWEEN_POLLS, name="tagloom-imports")
        imports.on_work(self._loop.wake)

    # The thread.

    def start(self) -> None:
        """Starts the thread of the worker."""
        # An import may wait since an earlier process ended.
        self._loop.wake()
        self._loop.start()

    def stop(self) -> None:
        """Stops after the step that is being applied. Another process, or a later start, continues after that step."""
        self._loop.stop()

    def work_once(self, only: str | None = None) -> bool:
        """Leases an import that waits for work, or import `only`, and works on it.

        Returns False if there is no such import.
        """
        run = self._leases.take(APPLIED, only)
        if run is None:
            return False
        environment = self._control.get_environment(run.space, run.environment)
        with self._leases.keeping(run):
            try:
                if self._imports.folder.is_given_up(run.id):
                    self._imports.give_up(environment, run)
                    return True
                self._check_file(run)
                if run.state == "planning":
                    self._make_plan(environment, run)
                else:
                    self._run(environment, run)
            except Lost:
                self._leases.release(run)
            except _OVERTAKEN as problem:
                # The next attempt reads the rest of the file again, in the state after the last step.
                self._try_again(environment, run, problem)
            except StoreUnavailable as problem:
                self._try_again(environment, run, problem)
                raise
            except Problem as problem:
                self._fail(environment, run, problem.slug(), problem.detail)
            except Exception as error:
                log.error("import.failed", run=run.id, exc_info=True)
                self._fail(environment, run, "internal-error", f"Tagloom failed at this file: {type(error).__name__}.")
            else:
                self._attempts.reset(run)
        return True

    def _try_again(self, environment: Environment, run: Import, problem: Problem) -> None:
        """Releases the import for a later attempt. After too many attempts without a further step, the import fails."""
        with suppress(ImportNotFound):
            if self._control.get_import(run.id).revision != run.revision:
                # A caller paused, cancelled or resumed the import.
                self._leases.release(run)
                return
        steps = len(self._population_of(environment).steps(run.id))
        tried = self._attempts.count(run, steps)
        log.warning(
            "import.broken_off", run=run.id, problem=problem.slug(), detail=problem.detail, steps=steps, tried=tried
        )
        if tried >= limits.IMPORT_ATTEMPTS_MAX:
            self._attempts.reset(run)
            detail = f"The import failed {tried} times in a row after step {steps}: {problem.detail}"
            self._fail(environment, run, problem.slug(), detail)
            return
        self._leases.release(run)
        self._loop.pause(min(2.0 ** (tried - 2), _SECONDS_BETWEEN_TRIES_MAX) if tried > 1 else 0)

    def _put(self, run: Import, state: ImportState, **more: object) -> Import:
        """Stores the import in another state. Raises: ImportChanged: another caller changed the import."""
        stored = self._control.get_import(run.id)
        if stored.revision != run.revision:
            raise ImportChanged("The import was changed at the same moment.")
        ended = {"ended_at": rfc3339(self._now())} if state in ("done", "failed") else {}
        put = self._control.put_import(replace(stored, state=state, **ended, **more))
        log.info(f"import.{state}", run=run.id, space=run.space, environment=run.environment, rows=put.rows_read)
        return put

    def _fail(self, environment: Environment, run: Import, problem: str, detail: str) -> None:
        tally = tally_of(self._population_of(environment).steps(run.id))
        try:
            self._put(run, "failed", problem=problem, detail=detail, tally=tally)
        except ImportChanged:
            self._leases.release(run)

    # Reading.

    def _check_file(self, run: Import) -> None:
        """Checks the whole file before it is read, because a mirror of a truncated file would remove the missing tags.

        Raises: ImportFileGone, ImportFileDamaged, Lost.
        """
        reported_at = self._now()

        def report() -> None:
            nonlocal reported_at
            self._report(run, None)
            if self._now() - reported_at > _SECONDS_BETWEEN_REPORTS:
                reported_at = self._now()
                self._leases.report(run)

        self._imports.folder.check(run.id, run.size_bytes, run.digest, report)

    def _parts(self, run: Import, remark: Remark | None = None, *, through: int = 0) -> Iterator[Part]:
        """Yields the parts of the file. If `through` is not 0, begins shortly before line `through`.

        Raises: Lost: this worker lost the import; the errors of reading the file.
        """
        reported_at = 0.0
        with rest_of(self._imports.folder.path(run.id), run, through) as rest:
            rows = rest.shift
            with closing(parts_of(rest.path, replace(run, compression=rest.compression), remark)) as parts:
                for part in parts:
                    self._report(run, rows if (late := self._now() - reported_at > _SECONDS_BETWEEN_REPORTS) else None)
                    reported_at = self._now() if late else reported_at
                    yield shifted(part, rest.shift)
                    rows += _rows(part)
        self._rows = rows
        self._report(run, rows)

    def _report(self, run: Import, rows: int | None) -> None:
        if self._loop.is_stopped:
            raise Lost
        if rows is None:
            return
        # SQLite allows no other write while a step is committed, so a renewal would wait for the commit.
        if self._committing is not None and not self._committing.done():
            self._leases.check(run)
        else:
            self._leases.report(run, rows)

    # Planning.

    def _make_plan(self, environment: Environment, run: Import) -> None:
        unreadable: str | None = None
        try:
            plan = self._plan(environment, run)
        except MirrorEmpty:
            self._hold(run, "source-empty", _empty_mirror_detail(run), None)
            return
        except MirrorUnreadable as problem:
            unreadable = problem.detail
            # The plan shows what an approval would apply.
            plan = self._plan(environment, replace(run, is_approved=True))
        total = self._rows
        too_much = self._too_much(run, plan) if run.runs_after_plan else None
        if too_much is not None:
            detail = too_much if unreadable is None else f"{too_much} {unreadable}"
            self._hold(run, "removes-much", detail, plan, rows_total=total)
        elif unreadable is not None:
            self._hold(run, "lines-unreadable", unreadable, plan, rows_total=total)
        elif run.runs_after_plan:
            self._put(run, "running", plan=plan, rows_total=total)
        else:
            self._put(run, "planned", plan=plan, rows_total=total)

    def _hold(self, run: Import, hold: Hold, detail: str, plan: Plan | None, **more: object) -> None:
        self._put(run, "held", hold=hold, detail=detail, plan=plan, is_approved=False, **more)

    def _too_much(self, run: Import, plan: Plan) -> str | None:
        """Returns the reason why a plan needs an approval, or None if it needs no approval."""
        if run.is_approved or run.share_removed_max is None or plan.share_removed <= run.share_removed_max:
            return None
        where = f"below '{run.prefix}'" if run.prefix else "of the environment"
        return (
            f"It would remove {plan.preview.receipt.removed:,} of the {plural(plan.taggings, 'tagging')} {where}: "
            f"{plan.share_removed:.1f} %. Without an approval it may remove {run.share_removed_max:g} %."
        )

    def _plan(self, environment: Environment, run: Import) -> Plan:
        """Computes what the import would do now. Raises: MirrorEmpty, and the errors of reading the file."""
        rules = _rules(run, ports_limits.REJECTED_PER_RECEIPT_MAX)
        remarks, odd = list[str](), OddIds()
        parts = (_counted(part, odd) for part in self._parts(run, remarks.append))
        preview = self._previews.preview(environment, Apply(parts, rules, ACTION))
        taggings = self._taggings_before(environment, run, preview) if preview.receipt.removed else 0
        return Plan(
            id=secrets.token_hex(8),
            version=preview.receipt.version,
            at=rfc3339(self._now()),
            preview=preview,
            taggings=taggings,
            share_removed=100 * preview.receipt.removed / taggings if taggings else 0.0,
            emptied_tags=self._emptied(environment, preview),
            warnings=(*dict.fromkeys(remarks), *odd.sentences()),
        )

    def _taggings_before(self, environment: Environment, run: Import, preview: Preview) -> int:
        """Counts the taggings at or below the prefix, including taggings that the import would remove."""
        prefix = parse_tag(run.prefix) if run.prefix else None
        population, cursor, count = self._population_of(environment), None, 0
        while True:
            page = population.list_tags(prefix=prefix, limit=base_limits.PAGE_ITEMS_MAX, cursor=cursor)
            count += sum(tag.users for tag in page.items if prefix is None or is_at_or_below(tag.tag, prefix))
            cursor = page.next_cursor
            if cursor is None:
                return max(count, preview.receipt.removed)

    def _emptied(self, environment: Environment, preview: Preview) -> tuple[str, ...]:
        population, found = self._population_of(environment), []
        for effect in preview.by_tag:
            if effect.removed > effect.added and effect.tag not in preview.new_tags:
                tag = population.get_tag(parse_tag(effect.tag))
                if tag.users + effect.added == effect.removed:
                    found.append(effect.tag)
        return tuple(found)

    # Running.

    def _run(self, environment: Environment, run: Import) -> None:
        population = self._population_of(environment)
        # If a process died after it committed the last step, the file is not read again.
        self._rows = run.rows_read
        try:
            if run.plan is not None and not run.is_approved and not population.steps(run.id):
                if (detail := self._too_much(run, run.plan)) is not None:
                    self._hold(run, "removes-much", detail, run.plan)
                    return
                if not self._run_as_planned(environment, run, run.plan):
                    return
            else:
                self._apply(environment, run, None)
        except MirrorEmpty:
            self._hold(run, "source-empty", _empty_mirror_detail(run), None)
            return
        except MirrorUnreadable as problem:
            self._hold(run, "lines-unreadable", problem.detail, run.plan)
            return
        tally = tally_of(population.steps(run.id))
        # The last reported count may be older, because nothing is reported during a commit.
        self._put(run, "done", tally=tally, rows_read=self._rows, rows_total=self._rows)

    def _run_as_planned(self, environment: Environment, run: Import, plan: Plan) -> bool:
        """Applies the plan. If another version changed what the plan would do, holds the import and returns False."""
        for _ in range(limits.IMPORT_PLANS_IN_A_ROW_MAX):
            try:
                self._apply(environment, run, plan.version)
            except PlanOutdated:
                again = self._plan(environment, run)
                if _effect(again) != _effect(plan):
                    detail = f"After version {plan.version} others wrote, and the import would do something else now."
                    self._hold(run, "plan-changed", detail, again)
                    return False
                plan = again
            else:
                return True
        detail = "Other writers changed the environment each time the plan was made again."
        self._hold(run, "plan-changed", detail, plan)
        return False

    def _apply(self, environment: Environment, run: Import, only_at: int | None) -> None:
        """Applies the missing steps. Raises: PlanOutdated, before the first step."""
        population = self._population_of(environment)
        done = population.steps(run.id)
        rules = _rules(run, limits.IMPORT_REJECTED_PER_STEP_MAX)
        options = WriteOptions(Origin(run.by, run.name))
        if run.mode in WHOLE_MODES:
            if not done:
                whole = replace(rules, step=Step(run.id, 1), only_at=only_at)
                population.write(Apply(self._parts(run), whole, ACTION), options)
            return
        through, number = (done[-1].through, len(done)) if done else (0, 0)
        try:
            for group in _grouped(_behind(self._parts(run, through=through), through)):
                number += 1
                step = replace(rules, step=Step(run.id, number), only_at=only_at if number == 1 else None)
                # A step is read and aggregated during the commit of the step before. If the step before is refused,
                # this step is refused, too.
                submitted = population.submit(Apply(group, step, ACTION), options)
                before, self._committing = self._committing, submitted
                if before is not None:
                    self._log_step(run, before.result())
            if self._committing is not None:
                self._log_step(run, self._committing.result())
        finally:
            if self._committing is not None:
                wait([self._committing])
                self._committing = None

    def _log_step(self, run: Import, receipt: Receipt) -> None:
        log.debug("import.step", run=run.id, version=receipt.version, added=receipt.added, removed=receipt.removed)


def _empty_mirror_detail(run: Import) -> str:
    return f"{rejections.says_mirror_empty(run.prefix)} Approve the run if that is meant, or cancel it."


def _rules(run: Import, rejected_max: int) -> BatchRules:
    start, expiry = period_of_texts(PeriodTexts(run.starts_at, run.expires_at, run.ttl))
    return BatchRules(
        mode=run.mode,
        prefix=parse_tag(run.prefix) if run.prefix else None,
        lowercase=run.lowercase,
        allow_empty=run.is_approved or run.allows_empty,
        allow_unreadable=run.is_approved,
        rejected_max=rejected_max,
        owner=run.owner,
        expiry=expiry,
        start=start,
    )


def _counted(part: Part, odd: OddIds) -> Part:
    odd.add(part.key_column())
    return part


def _effect(plan: Plan) -> Preview:
    """Returns the facts of a plan that are compared: everything except the version and the sizes of tribes."""
    tribes = tuple(replace(tribe, before=0, after=0) for tribe in plan.preview.tribes)
    return replace(plan.preview, receipt=replace(plan.preview.receipt, version=0), tribes=tribes)


def _behind(parts: Iterator[Part], through: int) -> Iterator[Part]:
    """Yields the lines after line `through`, which was the last line of a committed step."""
    for part in parts:
        if not through or (len(part.lines) and part.lines[0] > through):
            yield part
            continue
        kept = part.lines > through
        rejected = tuple(each for each in part.rejected if each.line > through)
        if kept.any() or rejected:
            yield _sliced(part, int(kept.argmax()) if kept.any() else len(kept), rejected)


def _sliced(part: Part, first: int, rejected: tuple[object, ...]) -> Part:
    is_kept = part.tagging_line >= first
    return replace(
        part,
        lines=part.lines[first:],
        keys=part.keys[first:],
        tagging_line=part.tagging_line[is_kept] - first,
        tagging_text=part.tagging_text[is_kept],
        is_removal=None if part.is_removal is None else part.is_removal[is_kept],
        expiries=None if part.expiries is None else part.expiries[first:],
        starts=None if part.starts is None else part.starts[first:],
        attributes=cells_from(part.attributes, first),
        rejected=rejected,
        # Only modes with a single step protect the people of rejected lines from losing tags.
        held=(),
        doubts=(),
    )


def _grouped(parts: Iterator[Part]) -> Iterator[Iterator[Part]]:
    """Groups parts into steps that are not empty. Parts are read lazily, so use up a group before the next group."""
    for part in parts:
        if _rows(part):
            yield _group(part, parts)


def _group(first: Part, parts: Iterator[Part]) -> Iterator[Part]:
    yield first
    rows = _rows(first)
    while rows < limits.IMPORT_ROWS_PER_STEP and (part := next(parts, None)) is not None:
        yield part
        rows += _rows(part)


def _rows(part: Part) -> int:
    return len(part.lines) + len(part.rejected)
