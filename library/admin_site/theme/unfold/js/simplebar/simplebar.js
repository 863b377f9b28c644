/* In the place of the theme's own scroll bars, which measure each page while it is still being read: what scrolls has
   the browser's, which need no script. The theme asks for one, to bring the page's own link in sight. */
window.SimpleBar = { instances: { get: (element) => ({ getScrollElement: () => element }) } };
