// What the page's scripts find beside themselves, for `// @ts-check`.
declare const uPlot: any;
