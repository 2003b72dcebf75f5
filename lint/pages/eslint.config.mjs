// The pages' code. Their types are checked by TypeScript.
import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    files: ["web/src/**/*.js", "layers/vsv/vsv/standalone/page/*.js"],
    languageOptions: { globals: { ...globals.browser, OpenSeadragon: "readonly" } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-console": "error", // it could show patient data
      "no-else-return": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-param-reassign": "error",
      "no-shadow": "error",
      "no-template-curly-in-string": "error",
      "no-unmodified-loop-condition": "error",
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Names would be parsed as markup." },
        { property: "outerHTML", message: "Names would be parsed as markup." },
        { property: "insertAdjacentHTML", message: "Names would be parsed as markup." },
      ],
    },
  },
  {
    files: ["web/*.mjs", "tests/web/**/*.mjs"],
    languageOptions: { globals: globals.node },
  },
  {
    files: ["tests/web/firefox.mjs"], // some of it runs in the page
    languageOptions: { globals: globals.browser },
  },
  {
    files: ["lint/prose/**/*.js"],
    languageOptions: { sourceType: "commonjs", globals: globals.node },
  },
  { ignores: ["web/dist/"] },
];
