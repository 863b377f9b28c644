"""Admin of the statistics."""

from library.analytics.admin.reports import ScheduledReportAdmin
from library.analytics.admin.statistics import StatisticsAdmin

__all__ = ["ScheduledReportAdmin", "StatisticsAdmin"]
