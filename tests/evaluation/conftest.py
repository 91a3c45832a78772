from report.conftest import make_report, report

__all__ = ["make_report", "report"]
