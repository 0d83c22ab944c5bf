"""Runs CPython's own tests and writes each result to a file as soon as it is known: `record.py FILE ARGUMENT…`, with the
arguments of `python3 -m test`. What has been written when a suite hangs or crashes says how far it came."""
import runpy, sys

sys.path.pop(0)  # the tests see the modules that `python3 -m test` sees, and none of ours
from test.support import testresult

results = open(sys.argv.pop(1), "a", buffering=1)


class Recording(testresult.RegressionTestResult):
    def startTest(self, test):
        self.outcome = "nothing", ""
        super().startTest(test)

    def stopTest(self, test):
        print(test.id(), *self.outcome, sep="\t", file=results)
        super().stopTest(test)

    def note(self, outcome, told=""):
        self.outcome = outcome, " ".join(str(told).split())

    def addSuccess(self, test):
        self.note("ok")
        super().addSuccess(test)

    def addSkip(self, test, reason):
        self.note("skipped", reason)
        super().addSkip(test, reason)

    def addExpectedFailure(self, test, error):
        self.note("failed as expected", repr(error[1]))
        super().addExpectedFailure(test, error)

    def addUnexpectedSuccess(self, test):
        self.note("ok, unexpectedly")
        super().addUnexpectedSuccess(test)

    def addError(self, test, error):
        self.note("failed", repr(error[1]))
        super().addError(test, error)

    def addFailure(self, test, error):
        self.note("failed", repr(error[1]))
        super().addFailure(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.note("failed", f"{subtest}: {error[1]!r}")
        super().addSubTest(test, subtest, error)


testresult.RegressionTestResult = Recording
runpy.run_module("test", run_name="__main__", alter_sys=True)
