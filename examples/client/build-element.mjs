// Bundles the custom element: the core, the words, lit-html and graphql-ws in one script, made small by Terser, which saves
// 4 % more than esbuild does. build.mjs writes and checks it.

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { build, transform } from 'esbuild';
import { minify } from 'terser';

/** Of what the script contains. */
const LICENSES = '/*! MIT; lit-html: BSD-3-Clause, Copyright 2017 Google LLC; graphql-ws: MIT, Copyright 2020 Denis Badurina */';

/** The text of a style sheet, small: `import text from './base.css?inline'`, as in Vite. */
const inlineStyles = {
  name: 'inline-styles',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.css\?inline$/ }, ({ path, resolveDir }) => ({
      path: fileURLToPath(new URL(path.replace('?inline', ''), `file://${resolveDir}/`)),
      namespace: 'inline-styles',
    }));
    onLoad({ filter: /.*/, namespace: 'inline-styles' }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), { loader: 'css', minify: true });
      return { contents: code.trim(), loader: 'text', watchFiles: [path] };
    });
  },
};

/** Templates without the indentation of their lines, which means nothing in HTML. */
const withoutIndentation = {
  name: 'without-indentation',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/element\/views\/\w+\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(/^ +/gm, ''),
      loader: 'ts',
    }));
  },
};

/** The element opens no past syncs, so the store of one and its searchable log stay out of the script. */
const withoutDetails = {
  name: 'without-details',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/core\/(syncDetailStore|logIndex)\.ts$/ }, () => ({
      contents: 'export class SyncDetailStore {} export class GrowingLog {}',
      loader: 'ts',
    }));
  },
};

/** Sentences of the page about what the element does not show. */
const withoutPageLabels = {
  name: 'without-page-labels',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/words\/labels\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(/^  (stateOf|nextTry|tryingNow|lastSuccess|neverChecked): .*\n/gm, ''),
      loader: 'ts',
    }));
  },
};

/** graphql-ws checks the form of each message with sentences for authors of servers. This server's messages have it. */
const withoutValidation = {
  name: 'without-validation',
  setup({ onLoad }) {
    onLoad({ filter: /\/graphql-ws\/dist\/common-\w+\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replace(/^function validateMessage[^]*?^}$/m, 'function validateMessage(message) { return message; }');
      if (contents === source) throw new Error(`${path} has no validateMessage any more.`);
      return { contents };
    });
  },
};

/**
 * The private members of all classes that have names of several words, for short names in the script. A name that something
 * else has too, such as a field of the schema, stays.
 */
async function privateNames() {
  const folder = fileURLToPath(new URL('src/', import.meta.url));
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts') && !name.startsWith('page'));
  const sources = (await Promise.all(names.map((name) => readFile(folder + name, 'utf8')))).join('\n');
  const found = new Set(Array.from(sources.matchAll(/\bprivate (?:(?:readonly|static|async|get|set) )*([a-z]+[A-Z]\w*)/g), (match) => match[1]));
  const isElsewhere = (name) => new RegExp(`['"\`]${name}['"\`]|^ *(?!private)(?:readonly |static |async )*${name}\\b\\??[:(,]|[{,] *${name}\\b *[:,}]`, 'm').test(sources);
  return [...found].filter((name) => !isElsewhere(name));
}

/** The script with the element. */
export async function elementBundle() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('src/element/index.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none', // in the first line instead
    plugins: [inlineStyles, withoutIndentation, withoutDetails, withoutPageLabels, withoutValidation],
    write: false,
  });
  const { code } = await minify(outputFiles[0].text, {
    ecma: 2022,
    module: true,
    compress: { passes: 3, keep_fargs: false, pure_getters: true, unsafe_arrows: true },
    mangle: { properties: { regex: new RegExp(`^(${(await privateNames()).join('|')})$`) } },
    format: { comments: false, preamble: LICENSES },
  });
  return `${code}\n`;
}

/** The declaration of the names of all labels. */
export async function elementLabels() {
  const { outputFiles } = await build({
    stdin: {
      contents: "export { ENGLISH } from './src/words'; export { CARD_ENGLISH } from './src/words/card';",
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    format: 'esm',
    write: false,
  });
  const source = Buffer.from(outputFiles[0].text).toString('base64');
  const { ENGLISH, CARD_ENGLISH } = await import(`data:text/javascript;base64,${source}`);
  const labels = Object.entries({ ...ENGLISH, ...CARD_ENGLISH });
  const rows = labels.map(([name, text]) => `  /** ${text || '(empty)'} */\n  ${name}: string;`);
  return `// Generated from ../client/src/words/ by \`make bundles\`: the labels, with their English texts.\n\nexport interface AllLabels {\n${rows.join('\n')}\n}\n\nexport type LabelName = keyof AllLabels;\n`;
}
