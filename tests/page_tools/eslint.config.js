import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "max-len": ["error", { code: 100, ignoreStrings: false, ignoreUrls: false }],
      "no-implicit-globals": "error",
      "no-param-reassign": ["error", { props: false }],
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
      // Payloads are hostile text: nothing of the page is made from markup.
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({ property })),
        { object: "document", property: "write" },
      ],
      "no-eval": "error",
      "no-implied-eval": "error",
      // They are matched in order to escape them.
      "no-control-regex": "off",
      "no-misleading-character-class": "off",
    },
  },
];
