"""The search: engines run the trials until enough are complete, whatever ends a trial, or an engine."""

from __future__ import annotations

from matopt.errors import FailureError
from matopt.study.records import TrialRecord, check_complete, failures
from matopt.study.search.engine import Engine
from matopt.study.search.ledger import Ledger
from matopt.study.search.plan import SearchCallback, SearchPlan
from matopt.study.search.trials import TrialContext

_VAIN = 3


def search(plan: SearchPlan, ledger: Ledger, context: TrialContext, callback: SearchCallback) -> list[TrialRecord]:
    """Run the trials that are missing; returns all trials of the ledger.

    A trial that raises has failed, and another point is tried in its place. A trial whose process dies, or hangs and is
    ended, is run again at its point, a few times over all launches; then that point is given up too.

    Raises:
        FailureError: fewer trials than the plan's least are complete in the end, or Ray is gone.
    """
    ledger.recover(plan.least)
    vain = 0
    while ledger.left(plan.total, plan.most)[1]:
        ended = ledger.n_ended
        Engine(plan, ledger, context, callback).run()
        vain = vain + 1 if ledger.n_ended == ended else 0
        if vain == _VAIN:
            raise FailureError(f"Ray Tune ended {_VAIN} times before a trial did; {failures(ledger.records())}")
    records = ledger.records()
    check_complete(records, plan.least)
    return records
