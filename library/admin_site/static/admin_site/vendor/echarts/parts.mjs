// What desk/charts.js takes of ECharts, and desk/abstain.js its MarkLine. VERSION says how to make echarts.min.js of it.
import { BarChart, HeatmapChart, LineChart, ScatterChart } from "echarts/charts";
import {
  AriaComponent, DataZoomInsideComponent, GridComponent, LegendPlainComponent, MarkLineComponent, TooltipComponent,
  VisualMapContinuousComponent,
} from "echarts/components";
import { use } from "echarts/core";
import { LegacyGridContainLabel } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

use([
  BarChart, HeatmapChart, LineChart, ScatterChart,
  AriaComponent, DataZoomInsideComponent, GridComponent, LegendPlainComponent, MarkLineComponent, TooltipComponent,
  VisualMapContinuousComponent,
  LegacyGridContainLabel, CanvasRenderer,
]);
export { getInstanceByDom, init } from "echarts/core";
