/** The text of a style sheet, as Vite and build-element.mjs give it. */
declare module '*.css?inline' {
  const text: string;
  export default text;
}
