"""The statistics in the admin."""

from library.analytics.admin.reports import ScheduledReportAdmin
from library.analytics.admin.statistics import StatisticsAdmin

__all__ = ["ScheduledReportAdmin", "StatisticsAdmin"]
