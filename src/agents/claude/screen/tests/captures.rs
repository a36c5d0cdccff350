//! The captured screens.

use crate::decide::Reading;

/// Each capture in `tests/screens` by what it shows: `.txt` without colours, `.ansi` with them. What
/// stands without an ending is there in both.
pub(super) const CAPTURES: &[(Reading, &str)] = &[
    (
        Reading::Idle,
        "04_idle_first.txt 07_bypass_idle.txt 08_busy_maybe.txt 10_idle_unattended.txt \
         20_ctrlc_once.txt 22_resume_id.txt 23_double_resume_second.txt 26_continue.txt \
         30_resume_other_dir.txt 31_resume_with_prompt.txt 40_idle_manual.txt \
         42_ping_into_permission_dialog.txt 48_resume_after_kill_in_tool.txt \
         50_long_positional.txt 62_after_clear.txt 64_autocompact.txt 65_resume_old_big.txt \
         66_remote_control.txt 68_not_logged_in.txt pg_keys3I.txt pg_paste3I.txt \
         pg_pastebig0I.txt compacted.txt shell_after.txt idle_40.txt named_left.txt named \
         interrupted typed typed_three_lines typed_beyond_its_box typed_cursor_at_start \
         shell_typed_60 slash_menu_60 v197_idle",
    ),
    // A good turn followed: what stands further up is history.
    (
        Reading::Idle,
        "empty_after.txt err400_credit_after.txt err400_toolong_after.txt \
         err400_tooluse_after.txt err404_model.txt err404_model_after.txt err429_after.txt \
         err429_ra_after.txt err429_ra_long_after.txt err429_unified_after.txt err500_after.txt \
         err529_after.txt hang_noheaders_after.txt",
    ),
    // An agent that draws screens, dialogs and errors.
    (Reading::Idle, "adversary v197_adversary"),
    // Without colours an error of this version is not told from a quotation.
    (Reading::Idle, "v197_err400_thinking.txt"),
    (
        Reading::Working,
        "44_busy_tool.txt 45_queued_during_tool.txt 71_retry_watchdog.txt empty.txt \
         err401_key.txt err401_key_after.txt err401_oauth.txt err401_oauth_after.txt hang.txt \
         hang_after.txt hang_noheaders.txt busy_40.txt busy_60.txt busy_queued busy_queued_40.txt \
         busy_tool_queued busy_typed busy_typed_40.txt shell_busy v197_busy v197_busy_queued \
         v197_busy_tool_queued.txt v197_busy_typed",
    ),
    (
        Reading::Dialog,
        "02_first_dialog.txt 03_after_trust.txt 06_bypass_sandbox.txt 41_permission_prompt.txt \
         ask_user_question ask_user_question_40.txt config_dialog_60.txt imports_dialog \
         limit_weekly_dialog login_dialog mcp_dialog_60.txt model_dialog_60.txt permission \
         permission_40.txt permission_write resume_dialog_60.txt resume_picker.txt \
         theme_dialog_60.txt trust_40.txt v197_ask_user_question.txt v197_permission \
         v197_trust.txt",
    ),
    (
        Reading::Limited,
        "limit_5h limit_5h_retried limit_5h_typed limit_weekly limit_weekly_retried",
    ),
    (Reading::LoggedOut, "err401_oauth_token err403_token err403_revoked_token not_logged_in"),
    (
        Reading::Errored,
        "60_refused.txt err400_credit.txt err404_model_token err429.txt err429_ra.txt \
         err429_ra_long.txt err429_unified.txt err500.txt err529.txt",
    ),
    (
        Reading::Wedged,
        "61_sticky_400_compact.txt err400_thinking.txt err400_thinking_after.txt \
         err400_thinking_token err400_toolong.txt err400_tooluse.txt err400_image_token \
         err413_token v197_err400_thinking.ansi no_colours_err400_tooluse",
    ),
    (
        Reading::Dead,
        "01_first_run_theme.txt 03_second.txt 05_bypass_dialog_root.txt 21_ctrlc_twice.txt \
         24_slash_exit.txt 27_session_id_exists.txt no_conversation_40.txt invalid_session_id.txt \
         session_id_in_use_40.txt unreachable_proxy_100",
    ),
    // At three widths, each state as it was produced.
    (Reading::Working, "busy_tool_100 busy_tool_200 busy_tool_80"),
    (
        Reading::Idle,
        "cleared_100 cleared_200 cleared_80 idle_resumed_100 idle_resumed_200 idle_resumed_80",
    ),
    (
        Reading::Wedged,
        "err400_thinking_100 err400_thinking_200 err400_thinking_80 err400_toolong_100 \
         err400_toolong_200 err400_toolong_80",
    ),
    (Reading::Errored, "err529_given_up_100 err529_given_up_200 err529_given_up_80"),
    (
        Reading::Limited,
        "limit_5h_continuing_100 limit_5h_continuing_200 limit_5h_continuing_80 \
         limit_weekly_stopped_100 \
         limit_5h_shortly_100 limit_weekly_chosen_80 limit_weekly_chosen_100 \
         limit_weekly_chosen_200",
    ),
    (
        Reading::Dialog,
        "limit_weekly_dialog_100 limit_weekly_dialog_200 limit_weekly_dialog_80 \
         limit_weekly_dialog_moved_100 limit_weekly_dialog_moved_200 \
         limit_weekly_dialog_moved_80 permission_100 permission_200 permission_80 \
         question_100 question_200 question_80",
    ),
    (Reading::LoggedOut, "logged_out_100 logged_out_200 logged_out_80"),
    (Reading::Unknown, "25_kill9.txt transcript_view_60.txt"),
];
