// The rules for the page's own scripts. TypeScript, which reads their JSDoc, checks the names.

import js from "@eslint/js";

export default [
  { ignores: ["**/uplot/"] },
  js.configs.recommended,
  {
    languageOptions: { sourceType: "script" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "no-undef": "off", // scripts of one page share their names; tsc knows all of them
      "no-unused-vars": ["error", { vars: "local", args: "after-used" }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
