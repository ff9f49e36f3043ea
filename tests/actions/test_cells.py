"""What stopping does to each kind of work: which test says it, cell by cell. A cell without a test fails here."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

TESTS = Path(__file__).parents[1]
# What it is -> what becomes of it untouched, what after somebody touched it, and what is never done.
Row = Mapping[str, Sequence[str]]
CELLS: Final[Mapping[str, Row]] = {
    "mail that waits": {
        "untouched": ["actions/test_start_conversation.py::test_pending_it_is_cancelled_and_never_sent_after"],
        "touched": [
            "playbooks/test_conversations.py::test_an_edited_draft_is_cancelled_by_a_stop_too_and_stays_readable"
        ],
        "never": ["playbooks/test_inbox.py::test_a_stop_takes_its_draft_out_of_the_inbox_for_good"],
    },
    "mail on the wire": {
        "untouched": ["actions/test_start_conversation.py::test_on_the_wire_it_stays"],
        "never": ["playbooks/test_conversations.py::test_a_stop_cancels_those_that_wait_and_lists_who_got_it"],
    },
    "mail that was sent": {
        "untouched": [
            "actions/test_start_conversation.py::test_sent_it_stays_sent_and_says_when",
            "playbooks/test_undo.py::test_stopping_takes_back_what_was_applied_and_cancels_the_rest",
        ],
        "never": ["playbooks/test_conversations.py::test_a_stop_after_it_was_sent_writes_to_nobody"],
    },
    "open task": {
        "untouched": ["actions/test_create_task.py::test_untouched_it_is_archived_with_the_cta_opened_for_it"],
        "touched": [
            "actions/test_create_task.py::test_worked_on_its_content_stays",
            "actions/test_create_cta.py::test_an_edited_open_task_is_cancelled_in_place_with_its_content",
            "actions/test_create_cta.py::test_a_reassigned_or_redated_task_counts_as_touched",
            "actions/test_create_cta.py::test_a_completed_and_reopened_task_counts_as_touched",
        ],
        "never": ["actions/test_contract.py::test_undo_deletes_nothing"],
    },
    "completed task": {
        "touched": [
            "actions/test_create_task.py::test_a_completed_task_is_kept_and_told_by_whom",
            "actions/test_create_cta.py::test_a_completed_task_stays_and_the_cta_closes_as_cancelled",
        ],
        "never": [
            "actions/test_contract.py::test_undo_after_somebody_worked_on_it_keeps_their_work_and_says_why",
        ],
    },
    "CTA it opened": {
        "untouched": [
            "actions/test_create_cta.py::test_untouched_cta_and_tasks_are_archived",
            "actions/test_create_cta.py::test_a_later_step_that_added_tasks_goes_first_and_leaves_nothing",
        ],
        "touched": [
            "actions/test_create_cta.py::test_a_hand_made_open_task_keeps_the_cta_open",
            "actions/test_create_cta.py::test_a_hand_made_task_that_is_done_leaves_nothing_open",
            "actions/test_create_cta.py::test_an_edited_cta_is_closed_as_cancelled_not_archived",
            "actions/test_create_cta.py"
            "::test_a_cta_somebody_commented_on_or_put_a_file_to_is_closed_as_cancelled_not_archived",
        ],
        "never": ["actions/test_create_cta.py::test_an_outcome_a_person_set_is_never_changed"],
    },
    "CTA it joined": {
        "untouched": ["actions/test_create_cta.py::test_joined_only_its_own_untouched_tasks_are_archived"],
        "touched": [
            "actions/test_create_cta.py::test_joined_an_edited_task_is_cancelled_in_place",
            "actions/test_create_cta.py::test_joined_a_completed_task_stays_and_the_cta_stays_open",
        ],
        "never": ["actions/test_create_cta.py::test_joined_without_tasks_there_is_nothing_to_take_back"],
    },
    "list of tasks on a CTA": {
        "untouched": ["playbooks/test_task_lists.py::test_removing_does_what_the_preview_said_and_can_be_undone"],
        "touched": [
            "playbooks/test_task_lists.py"
            "::test_a_preview_says_what_goes_what_is_asked_about_and_what_stays_and_writes_nothing",
            "playbooks/test_task_lists.py::test_a_completed_task_of_it_keeps_the_cta",
        ],
    },
    "success plan": {
        "untouched": ["actions/test_start_success_plan.py::test_untouched_it_goes_with_its_objectives_and_their_tasks"],
        "touched": [
            "actions/test_start_success_plan.py::test_what_people_did_stays_and_untouched_objectives_go",
            "actions/test_start_success_plan.py::test_plans_of_other_runs_and_of_people_stay",
        ],
        "never": ["actions/test_start_success_plan.py::test_a_share_link_holds_as_before"],
    },
    "trait": {
        "untouched": [
            "actions/test_update_trait.py::test_untouched_it_restores_the_previous_value_and_its_writer",
            "actions/test_update_trait.py::test_absent_before_it_is_absent_again",
        ],
        "touched": [
            "actions/test_update_trait.py::test_changed_by_a_person_it_stays_theirs",
            "actions/test_update_trait.py::test_changed_by_an_import_it_stays",
            "actions/test_update_trait.py::test_two_playbooks_leave_no_residue_when_the_earlier_stops_first",
            "actions/test_update_trait.py::test_a_deleted_definition_is_kept_as_gone",
        ],
        "never": ["actions/test_update_trait.py::test_a_person_who_chose_the_same_value_keeps_it"],
    },
    "put into a segment": {
        "untouched": ["actions/test_change_segment.py::test_it_enters_and_a_stop_lets_it_leave"],
        "touched": ["actions/test_contract.py::test_undo_after_somebody_worked_on_it_keeps_their_work_and_says_why"],
        "never": [
            "actions/test_change_segment.py::test_it_stays_while_a_person_or_a_rule_or_another_playbook_claims_it"
        ],
    },
    "taken out of a segment": {
        "untouched": ["actions/test_change_segment.py::test_what_it_took_out_comes_back_with_the_same_claims"],
        "touched": [
            "actions/test_change_segment.py::test_a_claim_withdrawn_meanwhile_does_not_come_back",
            "actions/test_change_segment.py::test_a_segment_that_is_gone_holds_the_run_and_keeps_the_undo",
        ],
        "never": ["actions/test_change_segment.py::test_two_playbooks_leave_no_residue_whichever_stops_first"],
    },
    "CSM, AE or another role": {
        "untouched": ["actions/test_assign.py::test_the_earlier_one_comes_back_with_whoever_had_assigned_them"],
        "touched": [
            "actions/test_assign.py::test_reassigned_by_a_person_since_it_stays",
            "actions/test_assign.py::test_a_holder_who_left_does_not_come_back",
            "actions/test_assign.py"
            "::test_two_that_assigned_one_over_the_other_leave_the_original_whichever_stops_first",
        ],
        "never": [
            "actions/test_assign.py::test_a_stop_gives_nobody_their_turn_again",
            "actions/test_assign.py::test_a_stop_moves_no_task",
        ],
    },
    "indicator": {
        "untouched": [
            "actions/test_create_indicator.py::test_untouched_it_ends_with_its_last_claim_and_stays_in_history"
        ],
        "touched": [
            "actions/test_create_indicator.py::test_addressed_by_a_person_it_stays_addressed",
            "actions/test_create_indicator.py::test_ended_by_a_person_it_stays_ended",
            "actions/test_create_indicator.py::test_reopened_by_a_person_it_stays_active",
        ],
        "never": ["actions/test_contract.py::test_undo_deletes_nothing"],
    },
    "NPS survey": {
        "untouched": ["actions/test_contract.py::test_undo_restores_what_shows_and_comes_as_previewed"],
        "touched": [
            "actions/test_note_and_survey.py::test_shown_but_not_answered_the_survey_is_withdrawn",
            "actions/test_note_and_survey.py::test_an_answer_to_a_survey_shown_before_the_stop_is_still_heard",
            "actions/test_note_and_survey.py::test_an_answered_survey_is_kept_with_its_answer",
        ],
        "never": [
            "actions/test_contract.py::test_undo_deletes_nothing",
            "accounts/nps/test_eligibility.py::test_whoever_answered_rests_for_the_months_between",
        ],
    },
    "track, webhook or Slack message": {
        "untouched": ["actions/test_calls.py::test_what_was_sent_stays_and_what_was_not_is_not_sent"],
        "touched": ["actions/test_contract.py::test_undo_after_somebody_worked_on_it_keeps_their_work_and_says_why"],
        "never": [
            "actions/test_calls.py::test_what_was_sent_is_followed_by_another_event_only_where_the_step_names_one",
            "actions/test_calls.py::test_what_takes_back_is_tried_again_under_the_same_id",
        ],
    },
    "another playbook, on the CTA it opened": {
        "untouched": [
            "playbooks/test_task_lists.py"
            "::test_it_is_stopped_with_the_playbook_that_opened_the_cta_and_the_preview_says_so"
        ],
        "touched": ["playbooks/test_task_lists.py::test_replacing_is_one_act_and_can_be_undone"],
    },
    "note": {
        "untouched": ["actions/test_note_and_survey.py::test_an_untouched_note_is_archived"],
        "touched": ["actions/test_note_and_survey.py::test_a_note_somebody_edited_or_replied_to_stays"],
    },
}


@pytest.mark.parametrize("work", CELLS)
def test_every_cell_is_a_test(work: str) -> None:
    for cell, tests in CELLS[work].items():
        assert tests, f"{work}, {cell}"
        for test in tests:
            path, _, name = test.partition("::")
            assert name in _tests_in(TESTS / path), f"{work}, {cell}: {test}"


def _tests_in(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
