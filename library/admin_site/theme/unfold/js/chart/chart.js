/* In the place of the theme's own chart library, 200 kB that every page would wait for: our charts are drawn by
   another one, which is fetched where there are charts (charts.js). */
