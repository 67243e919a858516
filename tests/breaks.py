"""Proof that the tests of the promises can fail: the code is broken on purpose, in a copy, and the tests must go red.

tests/e2e/test_breaks.py applies them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tests.copied_project import a_copy, run_tests


@dataclass(frozen=True)
class Break:
    """One line of code made wrong, and the test (or any of a module) that must notice."""

    promise: str
    file: str
    right: str
    wrong: str
    module: str
    test: str

    @property
    def noticed_by(self) -> str:
        """The test, as pytest calls it."""
        return f"{self.module}::{self.test}" if self.test else self.module


BREAKS = [
    Break(
        "1 acknowledged is durable: rows before the raw object",
        "chalicelib/ingest.py",
        "        stored = self._store(_unknown(firsts, known), receipt.ingest_time)\n"
        "        earlier = known | self.identities.admit(stored, request_id, receipt.ingest_time)\n",
        "        unknown = _unknown(firsts, known)\n"
        "        groups = _by_source_and_day(unknown, receipt.ingest_time)\n"
        "        stored = [s for g in groups for s in stored_events(\n"
        "            g, receipt.ingest_time, self.raw.bucket, self.raw.key_of(g, receipt.ingest_time))]\n"
        "        earlier = known | self.identities.admit(stored, request_id, receipt.ingest_time)\n"
        "        self._store(unknown, receipt.ingest_time)\n",
        "tests/functional/test_ingest_faults.py",
        "",
    ),
    Break(
        "1 acknowledged is durable: a retry that outlasts the function",
        "chalicelib/runtime.py",
        "    return None if invocation.has_time_for(_ATTEMPT_S + _LONGEST_WAIT_OF_SDK_S) else False\n",
        "    return None\n",
        "tests/functional/test_time_budget.py",
        "test_a_request_is_answered_in_time_however_slow_every_call_is",
    ),
    Break(
        "2 raw is verbatim: numbers through float",
        "chalicelib/domain/raw_line.py",
        '"event":{event.text}',
        '"event":{json.dumps(json.loads(event.text))}',
        "tests/functional/test_verbatim.py",
        "",
    ),
    Break(
        "2 raw is write-once: objects overwritten",
        "chalicelib/aws/write_once.py",
        ', IfNoneMatch="*"',
        "",
        "tests/functional/test_ingest_faults.py",
        "",
    ),
    Break(
        "3 same event, once: rows written without a condition",
        "chalicelib/aws/identities.py",
        '            "ConditionExpression": f"attribute_not_exists({key})",\n',
        "",
        "tests/functional/test_ingest_races.py",
        "",
    ),
    Break(
        "4 conflict: taken for a duplicate",
        "chalicelib/ingest.py",
        "if submission.content_sha256 == stored.content_sha256:",
        "if stored:",
        "tests/functional/test_duplicates_and_conflicts.py",
        "",
    ),
    Break(
        "5 nothing is dropped: refusals not kept",
        "chalicelib/ingest.py",
        "self.concurrently(self.quarantine.keep,",
        "(lambda *_: None)(self.quarantine.keep,",
        "tests/functional/test_ingest_rejections.py",
        "",
    ),
    Break(
        "5 nothing is dropped: a partial response where nobody reads it",
        "chalicelib/settle.py",
        "if failures and not self.partial_responses:",
        "if False:",
        "tests/functional/test_processor_failures.py",
        "",
    ),
    Break(
        "5 nothing is dropped: a dead letter counted and not kept",
        "chalicelib/dead_letters.py",
        "        self.dead_letters.keep(list(letters.values()))\n",
        "",
        "tests/functional/test_dead_letters.py",
        "",
    ),
    Break(
        "5 nothing is dropped: a dead letter without its reason",
        "chalicelib/dead_letters.py",
        "dead_letter(bodies[name], messages.get(name), wrong.get(name))",
        "dead_letter(bodies[name], messages.get(name), None)",
        "tests/functional/test_poison.py",
        "test_poison_ends_with_its_reason_and_its_neighbours_are_processed_once",
    ),
    Break(
        "5 nothing is dropped: dead letters that one call does not take",
        "chalicelib/aws/message_batches.py",
        "size + more > _BYTES_A_CALL",
        "False",
        "tests/functional/test_poison.py",
        "test_the_largest_messages_are_kept_although_one_call_takes_few_of_them",
    ),
    Break(
        "5 nothing is dropped: refused bytes kept as something else",
        "chalicelib/domain/quarantine.py",
        '"body": body.decode()',
        '"body": body.decode().strip()',
        "tests/functional/test_fuzz_ingest.py",
        "",
    ),
    Break(
        "5 nothing is dropped: a dead letter taken off before it is sent back",
        "chalicelib/dead_letters.py",
        "        self.dead_letters.send_back(back)\n"
        "        self.dead_letters.acknowledge([delivery for delivery in deliveries if delivery.message_id in done])\n",
        "        self.dead_letters.acknowledge([delivery for delivery in deliveries if delivery.message_id in done])\n"
        "        self.dead_letters.send_back(back)\n",
        "tests/functional/test_dead_letters.py",
        "",
    ),
    Break(
        "5 nothing is dropped: one refused aggregate fails the others of its transaction",
        "chalicelib/recording.py",
        "        except (StorageRefused, Contended) as error:\n            if len(versions) == 1:\n",
        "        except (StorageRefused, Contended) as error:\n            if versions:\n",
        "tests/functional/test_processor_failures.py",
        "",
    ),
    Break(
        "6 exact: a batch overwrites the one before",
        "chalicelib/domain/ledger.py",
        "merge(read.aggregate, aggregate_of(added))",
        "aggregate_of(added)",
        "tests/functional/test_processor.py",
        "",
    ),
    Break(
        "6 exact: redelivered messages counted again",
        "chalicelib/domain/ledger.py",
        "        if now == before:\n            continue\n",
        "",
        "tests/unit/test_process.py",
        "",
    ),
    Break(
        "6 exact: outcomes written over those of others",
        "chalicelib/aws/aggregate_store.py",
        'self._put(item, "attribute_not_exists(PK)")\n        return self._put(item, "outcome = :read", ',
        'self._put(item, "attribute_not_exists(x)")\n        return self._put(item, "outcome <> :read", ',
        "tests/functional/test_dead_letters.py",
        "",
    ),
    Break(
        "6 exact: aggregates written over those of others",
        "chalicelib/aws/aggregate_store.py",
        'self._put(item, "revision = :read", ',
        'self._put(item, "revision >= :read", ',
        "tests/functional/test_processor.py",
        "",
    ),
    Break(
        "6 exact: a later arrival counted as an input",
        "chalicelib/process.py",
        "Outcome.INPUT if duplicate is None else Outcome.REPEATED",
        "Outcome.INPUT",
        "tests/functional/test_processor.py",
        "",
    ),
    Break(
        "6 exact: messages that are no inputs listed as inputs",
        "chalicelib/aws/aggregate_history.py",
        '                FilterExpression="outcome = :input",\n',
        '                FilterExpression="outcome <> :input OR outcome = :input",\n',
        "tests/functional/test_dead_letters.py",
        "",
    ),
    Break(
        "6 exact: days found and not kept before they are read",
        "chalicelib/plan.py",
        "            self.replays.found_days(job.replay_id).add(outbox.days)\n",
        "            self.replays.found_days(job.replay_id).add(outbox.days[:1])\n",
        "tests/functional/test_replay_options.py",
        "",
    ),
    Break(
        "6 exact: messages sent before they are committed",
        "chalicelib/plan.py",
        "        committed = self._committed(job, reached, outbox)\n        self._carry_out(committed, outbox)\n",
        "        self._carry_out(job, outbox)\n        committed = self._committed(job, reached, outbox)\n",
        "tests/unit/test_plan.py",
        "test_planners_of_one_job_that_meet_and_die_send_nothing_that_it_does_not_count",
    ),
    Break(
        "6 exact: a planner that leaves the outbox of the one before it",
        "chalicelib/plan.py",
        "        if job.outbox is not None:\n            self._carry_out(",
        "        if False:\n            self._carry_out(",
        "tests/functional/test_replay_planning.py",
        "test_a_planner_that_reads_less_than_the_one_that_died_sends_what_that_one_committed",
    ),
    Break(
        "6 exact: a version that grows beyond a row",
        "chalicelib/domain/aggregation.py",
        "TYPES_LISTED = 100\n",
        "TYPES_LISTED = 10_000\n",
        "tests/unit/test_row_sizes.py",
        "test_a_version_of_ten_thousand_types_fits_into_a_row",
    ),
    Break(
        "6 exact: the types of a version depend on its batches",
        "chalicelib/domain/aggregation.py",
        "dict(sorted(counts.items())[:TYPES_LISTED])",
        "dict(Counter(counts).most_common(TYPES_LISTED))",
        "tests/unit/test_aggregation.py",
        "",
    ),
    Break(
        "6 exact: an outcome stored under another text",
        "chalicelib/domain/outcomes.py",
        'REPEATED = "REPEATED"',
        'REPEATED = "AGAIN"',
        "tests/unit/test_outcomes.py",
        "test_what_is_stored_of_an_outcome_stays_readable",
    ),
    Break(
        "6 exact: what came as the replay was asked for taken for missed",
        "chalicelib/domain/completeness.py",
        "event.ingest_time > self.asked_at",
        "event.ingest_time >= self.asked_at",
        "tests/unit/test_completeness.py",
        "",
    ),
    Break(
        "7 complete: an index read before it shows what was acknowledged",
        "chalicelib/plan.py",
        "task.waited_s >= settles_s",
        "task.waited_s >= 0",
        "tests/unit/test_index_lag.py",
        "test_a_replay_by_type_sends_every_event_that_was_acknowledged_before_it_was_asked_for",
    ),
    Break(
        "7 complete: the first slice queued for at once",
        "chalicelib/replay.py",
        "self.queues.plan(job.replay_id, request.settles_in(self.index_lag_s))",
        "self.queues.plan(job.replay_id)",
        "tests/unit/test_index_lag.py",
        "test_the_first_slice_is_queued_for_when_the_index_has_caught_up",
    ),
    Break(
        "7 honest: an index that lags taken for all there is",
        "chalicelib/replay_representations.py",
        "The index by type shows no event that was acknowledged before {index_read_to}.",
        "No event lies there.",
        "tests/functional/test_deviations.py",
        "test_a_replay_whose_index_shows_nothing_yet_does_not_say_that_there_is_nothing",
    ),
    Break(
        "7 bounded: a dry run that is none",
        "app.py",
        "    if asked.dry_run:\n",
        "    if False:\n",
        "tests/functional/test_replay_previews.py",
        "",
    ),
    Break(
        "7 visible: a dead letter that is processed stays counted as failed",
        "chalicelib/domain/outcomes.py",
        "return _counted(now) - _counted(before)",
        "return _counted(now)",
        "tests/functional/test_dead_letters.py",
        "",
    ),
    Break(
        "7 visible: replays in the order of clocks",
        "chalicelib/aws/replay_store.py",
        "attribute_not_exists(newest) OR newest < :to",
        "attribute_not_exists(newest) OR newest <> :to",
        "tests/functional/test_aggregates.py",
        "test_the_newest_version_is_that_of_the_replay_that_was_requested_last_although_a_clock_was_ahead",
    ),
    Break(
        "7 stoppable: messages of a cancelled replay processed",
        "chalicelib/process.py",
        "states[message.replay_id] is JobState.CANCELLED",
        "False",
        "tests/functional/test_processor_failures.py",
        "",
    ),
    Break(
        "7 no size limit: one page only",
        "chalicelib/selection.py",
        "            for page in every_page(partial(self._page, group), after):\n",
        "            for page in [self._page(group, after)]:\n",
        "tests/functional/test_replay_planning.py",
        "",
    ),
    Break(
        "7 no size limit: one page of later arrivals only",
        "chalicelib/selection.py",
        "        if first.read_to is not None:\n",
        "        if False:\n",
        "tests/functional/test_replay_options.py",
        "",
    ),
    Break(
        "7 bounded: filters ignored",
        "chalicelib/selection.py",
        "return self.request.expands or self.request.takes(event)",
        "return True",
        "tests/functional/test_replay_options.py",
        "",
    ),
    Break(
        "7 bounded: an event left out only if it meets every criterion",
        "chalicelib/domain/replay_request.py",
        "self.exclude.meets_any(event)",
        "self.exclude.meets_all(event)",
        "tests/functional/test_replay_options.py",
        "",
    ),
    Break(
        "7 bounded: the limit ignored",
        "chalicelib/stretch.py",
        "    limit = job.request.limit\n    left =",
        "    limit = None\n    left =",
        "tests/functional/test_replay_options.py",
        "",
    ),
    Break(
        "7 bounded: any number confirms",
        "chalicelib/domain/preview.py",
        "request.confirm == self.messages and",
        "request.confirm is not None and",
        "tests/functional/test_replay_previews.py",
        "",
    ),
    Break(
        "7 bounded: two jobs under one idempotency key",
        "chalicelib/aws/replay_store.py",
        '            ConditionExpression="attribute_not_exists(PK)",\n',
        '            ConditionExpression="attribute_not_exists(other)",\n',
        "tests/functional/test_replay_control.py",
        "",
    ),
    Break(
        "7 bounded: another request under the same idempotency key",
        "chalicelib/replay.py",
        "        if keyed.digest != digest:\n",
        "        if False:\n",
        "tests/functional/test_replay_control.py",
        "",
    ),
    Break(
        "7 visible: progress committed over that of others",
        "chalicelib/aws/replay_store.py",
        'ConditionExpression="revision = :revision"',
        'ConditionExpression="revision >= :revision"',
        "tests/functional/test_replay_planning.py",
        "",
    ),
    Break(
        "7 visible: a planner that gives up without a word",
        "chalicelib/plan.py",
        "            if last_chance:\n",
        "            if False:\n",
        "tests/functional/test_replay_control.py",
        "",
    ),
    Break(
        "7 stoppable: a planner that goes on after a cancel",
        "chalicelib/plan.py",
        "            if self._current(job).committed_by != commit_id:\n",
        "            if False:\n",
        "tests/functional/test_replay_control.py",
        "",
    ),
    Break(
        "7 stoppable: a redrive that takes a cancel back",
        "chalicelib/replay.py",
        "        aim = None if job.committed_by == request_id else change(job)\n",
        "        aim = None if job.committed_by == request_id else change(job if attempt == 1 else changed)\n",
        "tests/functional/test_replay_control.py",
        "",
    ),
    Break(
        "7 ordered: two messages of an entity in one batch",
        "chalicelib/aws/queues.py",
        "for some in rounds_of(messages):",
        "for some in [messages]:",
        "tests/functional/test_replay_options.py",
        "",
    ),
    Break(
        "7 no size limit: events left out where shards are read unevenly",
        "chalicelib/domain/merging.py",
        "max(ends) if newest_first else min(ends)",
        "min(ends)",
        "tests/functional/test_search.py",
        "test_status_misses_nothing_in_shards_that_are_read_unevenly",
    ),
    Break(
        "7 no size limit: a hot duplicate that refuses its batch",
        "chalicelib/aws/event_index.py",
        'with suppress(TryAgain), translated("recording later arrivals"):',
        'with translated("recording later arrivals"):',
        "tests/functional/test_ingest_faults.py",
        "test_arrivals_that_are_never_recorded_change_nothing_of_what_a_batch_is_answered",
    ),
    Break(
        "7 no size limit: all of a call taken for unrecorded where one arrival is",
        "chalicelib/aws/batches.py",
        "        yield left\n",
        "        if not left:\n            yield left\n",
        "tests/functional/test_telemetry.py",
        "test_arrivals_that_dynamodb_does_not_take_are_measured_and_logged_with_their_events",
    ),
    Break(
        "7 no size limit: late arrivals of a day in one partition",
        "chalicelib/aws/event_rows.py",
        "day_of(event.ingest_time), shard)",
        "day_of(event.ingest_time), 0)",
        "tests/unit/test_event_rows.py",
        "test_a_late_event_has_one_shard_in_both_indexes",
    ),
    Break(
        "7 no size limit: an audit that takes late arrivals of fewer shards for changed ones",
        "retrace/checking/matching.py",
        '_SHARDED = ("type_day", "late_day")',
        '_SHARDED = ("type_day",)',
        "tests/unit/cli/test_checking.py",
        "test_rows_of_a_time_of_fewer_shards_are_as_they_should_be_and_those_of_more_are_not",
    ),
    Break(
        "7 no size limit: late arrivals left out after a page",
        "chalicelib/domain/merging.py",
        "    return Page(page.rows[:limit], page.rows[limit - 1].sort_key)\n",
        "    return Page(page.rows[:limit], page.read_to)\n",
        "tests/functional/test_search.py",
        "test_late_arrivals_of_all_shards_are_listed_once_and_in_order_whatever_the_size_of_a_page",
    ),
    Break(
        "7 bounded: an estimate of ten times the cost",
        "chalicelib/domain/estimate.py",
        "DOLLARS_A_MESSAGE * 10_000) / 10_000",
        "DOLLARS_A_MESSAGE * 10_000) / 1_000",
        "tests/unit/test_preview.py",
        "",
    ),
    Break(
        "7 bounded: a stretch that does not look at the clock",
        "chalicelib/stretch.py",
        " and not may_go_on()",
        " and False",
        "tests/unit/test_stretch.py",
        "test_a_stretch_ends_at_the_look_at_the_clock_that_finds_no_time_left",
    ),
    Break(
        "7 bounded: a stretch that reads on beyond the limit",
        "chalicelib/stretch.py",
        "bounds.append(limit - job.sent)",
        "bounds.append(size)",
        "tests/unit/test_stretch.py",
        "test_a_stretch_reads_no_further_than_it_sends",
    ),
    Break(
        "7 bounded: a planner that does not see the room that processors made",
        "chalicelib/plan.py",
        "        if not is_full(job, self.max_in_flight):\n            return job\n",
        "        return job\n",
        "tests/unit/test_plan.py",
        "test_a_planner_that_waits_for_room_sends_on_once_processors_have_made_it",
    ),
    Break(
        "7 bounded: a planner that reads its job again for each stretch",
        "chalicelib/plan.py",
        "        if not is_full(job, self.max_in_flight):\n            return job\n",
        "",
        "tests/unit/test_plan.py",
        "test_a_planner_reads_its_job_once_while_there_is_room",
    ),
    Break(
        "7 bounded: a preview that reads later pages of a day or of arrivals unpaid",
        "chalicelib/selection.py",
        "lambda at: self.concurrently(read, [at])[0], first",
        "read, first",
        "tests/unit/test_selection.py",
        "",
    ),
    Break(
        "7 bounded: reads that cost nothing",
        "chalicelib/domain/read_budget.py",
        "        self.left_us -= ceil(",
        "        self.left_us -= 0 * ceil(",
        "tests/unit/test_large_days.py",
        "",
    ),
    Break(
        "7 bounded: a filter that refuses twenty names",
        "chalicelib/domain/replay_filter.py",
        "MAX_NAMES = 20",
        "MAX_NAMES = 19",
        "tests/unit/test_replay_request.py",
        "",
    ),
    Break(
        "8 rebuilt: index rows that are missing beside an identity left out",
        "retrace/checking/restoring.py",
        "        return sum(in_order(self._put_if_absent, missing))\n",
        "        return sum(in_order(self._put_if_absent, missing[:0]))\n",
        "tests/functional/test_restoring.py",
        "",
    ),
    Break(
        "8 rebuilt: conflicts in quarantine ignored",
        "retrace/checking/claims.py",
        "    return keys.is_conflict(key) or key.startswith(keys.SUPERSEDED)\n",
        "    return key.startswith(keys.SUPERSEDED)\n",
        "tests/functional/test_rebuilding.py",
        "test_content_that_was_refused_in_a_race_does_not_take_the_place_of_what_was_accepted",
    ),
    Break(
        "8 rebuilt: markers of superseded lines ignored",
        "retrace/checking/claims.py",
        "    return keys.is_conflict(key) or key.startswith(keys.SUPERSEDED)\n",
        "    return keys.is_conflict(key)\n",
        "tests/functional/test_rebuilding.py",
        "test_a_marker_of_an_audit_keeps_what_was_accepted_over_what_was_never_answered",
    ),
    Break(
        "8 rebuilt: a record that names another line than the first",
        "chalicelib/domain/quarantine.py",
        "event.location.key, event.location.offset, event",
        "event.location.key, event.location.offset + 1, event",
        "tests/functional/test_rebuilding.py",
        "test_content_that_was_refused_in_a_race_does_not_take_the_place_of_what_was_accepted",
    ),
    Break(
        "8 rebuilt: undecided content not listed",
        "retrace/checking/rebuilding.py",
        "            yield between(Kind.CONTENT_UNDECIDED, LineReference.of(chosen), other, why)\n",
        "",
        "tests/functional/test_rebuilding.py",
        "test_without_record_and_marker_the_earlier_line_is_chosen_and_the_other_is_listed_at_each_rebuild",
    ),
    Break(
        "8 rebuilt: refused content put in place of an accepted line that is gone",
        "retrace/checking/rebuilding.py",
        "            same = [line for line in lost if line.content_sha256 == claim.first.content_sha256]\n",
        "            same = lost\n",
        "tests/functional/test_rebuilding.py",
        "test_where_the_accepted_line_is_gone_refused_content_gets_no_rows_and_is_listed",
    ),
    Break(
        "8 rebuilt: every refused event read, not conflicts alone",
        "retrace/checking/claims.py",
        "    return keys.is_conflict(key) or key.startswith(keys.SUPERSEDED)\n",
        "    return True\n",
        "tests/functional/test_rebuilding.py",
        "test_of_quarantine_only_conflicts_are_read",
    ),
    Break(
        "8 rebuilt: a record of an expired identity decides about its next life",
        "retrace/checking/claims.py",
        "    return identity_ttl_s is not None and between >= identity_ttl_s * _NANOSECONDS\n",
        "    return False\n",
        "tests/unit/cli/test_checking_claims.py",
        "test_a_record_decides_about_lines_of_the_same_life_of_an_identity",
    ),
    Break(
        "8 rebuilt: a repair that chooses between contents",
        "retrace/checking/judging.py",
        "                repair = decided and bool(group.unmarked)\n",
        "                repair = True\n",
        "tests/functional/test_rebuilding.py",
        "test_a_repair_does_not_choose_between_contents",
    ),
    Break(
        "8 rebuilt: a line marked as superseded while its request may be under way",
        "retrace/checking/judging.py",
        "            if own and line not in firsts and line.ingest_time < self._rules.in_flight_from:\n",
        "            if own and line not in firsts:\n",
        "tests/unit/cli/test_checking_claims.py",
        "test_a_line_of_a_request_that_may_be_under_way_is_not_superseded_yet",
    ),
    Break(
        "8 damage is found: a missing raw object taken for a refused call",
        "chalicelib/aws/raw_store.py",
        'raise RawObjectMissing(f"The raw object {key} is missing.") from error',
        "raise",
        "tests/functional/test_poison.py",
        "test_poison_ends_with_its_reason_and_its_neighbours_are_processed_once",
    ),
    Break(
        "8 damage is found: a drill that does not look",
        "embedded/api_snapshot.py",
        "if later.answers.get(question) != answer",
        "if question not in later.answers",
        "tests/unit/embedded/test_api_snapshot.py",
        "test_what_is_answered_otherwise_is_lost",
    ),
    Break(
        "8 rows agree with the raw lines: offsets in characters",
        "chalicelib/domain/raw_line.py",
        "        length = len(line_of(event, ingest_time))\n",
        "        length = len(line_of(event, ingest_time).decode())\n",
        "tests/unit/test_raw_line.py",
        "",
    ),
    Break(
        "8 damage is found: rows that say something else than the raw line",
        "retrace/checking/matching.py",
        "    return tuple(name for name in names if expected.get(name) != row.get(name))\n",
        "    return tuple(name for name in names if name not in row)\n",
        "tests/unit/cli/test_checking.py",
        "test_any_edited_field_of_a_row_is_found_and_named",
    ),
    Break(
        "2 raw is write-once: notifications forgotten before their digest is there",
        "chalicelib/digest.py",
        "        part = signed_part(head, objects)\n",
        "        self.notifications.acknowledge(gathered.listed)\n        part = signed_part(head, objects)\n",
        "tests/functional/test_digests.py",
        "",
    ),
    Break(
        "2 raw is write-once: digests that nothing is held against while something is always written",
        "chalicelib/digest.py",
        "            if all(notices and min(each.written_at for each in notices) >= began for notices in told):\n",
        "            if not told:\n",
        "tests/unit/cli/test_digest_verification.py",
        "",
    ),
    Break(
        "2 raw is write-once: digests believed whoever signed them",
        "retrace/checking/succession.py",
        "        if key is None:\n",
        "        key = key or 0\n        if not digest.signature:\n",
        "tests/unit/cli/test_digest_verification.py",
        "",
    ),
    Break(
        "2 raw is write-once: digests signed with a key that was replaced",
        "retrace/checking/succession.py",
        "        if key != list(self._names)[-1]:\n",
        "        if key not in self._names:\n",
        "tests/unit/cli/test_digest_verification.py",
        "",
    ),
    Break(
        "2 raw is write-once: an object is taken for listed if only its key is",
        "retrace/checking/digest_verification.py",
        "            elif actual != said.sha256:\n",
        "            elif not said.sha256:\n",
        "tests/unit/cli/test_digest_verification.py",
        "",
    ),
    Break(
        "2 raw is write-once: a quarantine that no digest lists",
        "infra/resources.yaml",
        "{Name: prefix, Value: rejected/}",
        "{Name: prefix, Value: refused/}",
        "tests/unit/embedded/test_resources.py",
        "",
    ),
    Break(
        "2 raw is write-once: a quarantine that is held against no digest",
        "retrace/checking/digest_verification.py",
        "self._keys(prefix, bucket) for prefix in prefixes",
        'self._keys(prefix, bucket) for prefix in prefixes if prefix != "rejected/"',
        "tests/unit/cli/test_digest_verification.py",
        "",
    ),
    Break(
        "2 raw is write-once: a bucket policy that is gone taken for one that is as deployed",
        "retrace/checking/protection.py",
        "    if lost:\n",
        "    if found and lost:\n",
        "tests/unit/cli/test_protection.py",
        "test_a_deleted_policy_and_a_rule_that_expires_everything_are_problems",
    ),
    Break(
        "9 no route is open: one without an authorizer",
        "app.py",
        '@app.route("/events", authorizer=signed)',
        '@app.route("/events")',
        "tests/functional/test_routes.py",
        "",
    ),
    Break(
        "9 no route is open: in Lambda a request that nobody signed",
        "app.py",
        "wiring.admit()(received.signer(request), ",
        "wiring.admit()(received.caller(request), ",
        "tests/functional/test_routes.py",
        "test_in_lambda_no_route_answers_a_request_without_an_identity",
    ),
    Break(
        "9 no route is open: webhooks taken whoever signed them",
        "chalicelib/domain/webhook_signature.py",
        '    if not _any_matches(said[SIGNATURE].split(" "), signed, secrets):\n',
        "    if _any_matches([], signed, secrets):\n",
        "tests/unit/test_webhook_signature.py",
        "",
    ),
    Break(
        "9 no route is open: webhooks taken however old",
        "chalicelib/domain/webhook_signature.py",
        "    if not _is_recent(said[TIMESTAMP], now):\n",
        "    if not said[TIMESTAMP]:\n",
        "tests/functional/test_webhooks.py",
        "",
    ),
    Break(
        "9 no route is open: webhooks signed with a key of four bytes",
        "chalicelib/domain/webhook_signature.py",
        "_SHORTEST_KEY = 24",
        "_SHORTEST_KEY = 4",
        "tests/unit/test_webhook_signature.py",
        "test_a_secret_has_at_least_24_bytes",
    ),
]


def of_each_promise() -> list[Break]:
    """The first break of each promise."""
    firsts: dict[str, Break] = {}
    for broken in BREAKS:
        firsts.setdefault(broken.promise[0], broken)
    return list(firsts.values())


def noticed(broken: Break) -> bool:
    """Whether the test fails on a copy of the project with one thing broken."""
    with a_copy() as project:
        source = project / broken.file
        text = source.read_text()
        if broken.right not in text:
            sys.exit(f"{broken.file} no longer holds what is to be broken for: {broken.promise}")
        source.write_text(text.replace(broken.right, broken.wrong))
        return run_tests(project, "-x", broken.noticed_by).noticing


def all_pass_unbroken(breaks: Iterable[Break]) -> bool:
    """Whether the tests that are to go red are green in a copy of the project as it is."""
    with a_copy() as project:
        return run_tests(project, *sorted({broken.noticed_by for broken in breaks})).green
