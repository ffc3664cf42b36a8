"""No rollout is under way, or one starts."""

from halimede.api.status import State
from halimede.rollout import states
from tools.transitions.row import Edge, Transition, abort_edges, in_order

START = (
    Transition(
        "new-object",
        "A new object is created.",
        "The first revision's children are created at full scale, and the route gives it all"
        " requests.",
        ("rollout.checks.start.first_deployment", "plan.desired.desired_children"),
        unchanged=(None,),
    ),
    Transition(
        "first-revision-ready",
        "No revision is stable yet, and the target has a ready pod.",
        "The target becomes stable without analysis, as there is nothing to compare it with.",
        ("rollout.checks.start.first_deployment",),
        unchanged=(None,),
    ),
    Transition(
        "first-revision-replaced",
        "No revision is stable yet, and the spec asks for another.",
        "The revision that never served is deleted; the other one replaces it.",
        (
            "rollout.checks.start.first_deployment",
            "rollout.machine.record_observations",
            "plan.desired.diff_children",
        ),
        unchanged=(None,),
    ),
    Transition(
        "first-revision-past-deadline",
        "No revision is stable yet after `progressDeadlineSeconds`.",
        "Ready is False and Stalled is True, with the cause, until a pod is ready or the spec"
        " changes.",
        ("plan.conditions.ready_state",),
        unchanged=(None,),
    ),
    Transition(
        "new-revision",
        "The spec asks for a revision that is not stable and has not failed.",
        "A rollout starts at the first step.",
        ("rollout.checks.start.begin",),
        edges=(Edge((None,), State.STARTING),),
    ),
    Transition(
        "failed-revision",
        "The spec asks for a revision that has failed.",
        "Nothing is done; Ready is False. The command `retry` forgets the failure.",
        (
            "rollout.checks.start.failed_before",
            "rollout.checks.start.forget_failure",
            "plan.conditions.ready_state",
        ),
        unchanged=(None,),
    ),
    Transition(
        "earlier-revision",
        "The spec asks for an earlier revision that is still warm or within"
        " `rollbackWindowRevisions`, and that was not rolled back.",
        "A rollout without steps starts: full scale, then all traffic at once, then the bake.",
        (
            "rollout.checks.start.begin",
            "rollout.revision_history.may_skip_steps",
            "rollout.checks.progress.priming",
            "rollout.checks.progress.starting",
        ),
        edges=(
            Edge((None,), State.STARTING),
            Edge((State.STARTING,), State.PRIMING),
            Edge((State.PRIMING,), State.SCALING_UP),
        ),
    ),
    Transition(
        "settings-edited",
        "Only replicas, autoscaling or settings of rollouts are edited.",
        "The stable revision is scaled; no rollout starts.",
        ("rollout.checks.start.serves_already", "plan.desired.desired_children"),
        unchanged=(None,),
    ),
    Transition(
        "spec-invalid",
        "The spec is invalid.",
        "No rollout starts or goes on; safety checks go on. Ready is False with the remedy.",
        (
            "rollout.checks.start.spec_invalid",
            "rollout.checks.hold.spec_invalid",
            "plan.conditions.ready_state",
        ),
        unchanged=(None, *in_order(states.UNDECIDED)),
    ),
    Transition(
        "source-unresolved",
        "The spec asks for a model whose digest is not known yet, or which is not in its cache.",
        "A Job fetches the model's files, for the digest or into the cache. Meanwhile no rollout"
        " starts, and one that is under way stops (Superseded). If the Job fails, Ready is False;"
        " the command `retry` repeats it, and `abort` ends it.",
        (
            "rollout.checks.start.source_unresolved",
            "rollout.checks.safety.superseded",
            "rollout.commands.source.forget_failure",
            "rollout.commands.source.give_up",
            "plan.source_resolution.resolve_source",
            "plan.conditions.ready_state",
        ),
        unchanged=(None,),
        edges=abort_edges(*in_order(states.UNDECIDED)),
    ),
    Transition(
        "cache-verified",
        "The command `retry` is given for a model that is in a cache.",
        "A Job verifies the model in the cache, and fetches it again if it is damaged. If the"
        " revision of the spec had failed, that is forgotten.",
        (
            "rollout.commands.source.is_meant",
            "rollout.commands.source.forget_failure",
            "plan.source_resolution.resolve_source",
        ),
        unchanged=(None,),
    ),
    Transition(
        "record-invalid",
        "The record of the revision that the spec asks for is not the one that was written.",
        "No rollout to the revision starts, and one that is under way is aborted, which is not"
        " recorded as a failure (InvalidRecord). Nothing is rendered from the record. Once it is"
        " restored, the rollout starts.",
        (
            "rollout.checks.start.record_invalid",
            "rollout.checks.safety.record_invalid",
            "plan.records.read_records",
            "plan.conditions.build_conditions",
        ),
        unchanged=(None,),
        edges=abort_edges(*in_order(states.UNDECIDED)),
    ),
    Transition(
        "hash-collision",
        "The spec asks for a new revision whose hash names another one.",
        "`collisionCount` is raised, which gives the new revision another hash; its rollout"
        " starts.",
        ("plan.records.choose_target", "plan.records.store_target", "rollout.checks.start.begin"),
        edges=(Edge((None,), State.STARTING),),
    ),
    Transition(
        "scaled-to-zero",
        "`spec.replicas` is 0.",
        "The target becomes stable at once; a rollout under way waits for pods.",
        ("rollout.checks.start.nothing_is_to_serve", "rollout.checks.hold.scaled_to_zero"),
        unchanged=(None, *in_order(states.UNDECIDED)),
    ),
)
