// Bundles the custom element: the core, the words, lit-html and graphql-ws in one script, made small by Terser, which saves
// 4 % more than esbuild does. `node build-element.mjs` writes it, `node build-element.mjs --check` fails if the committed one
// is not what its sources give.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { build, transform } from 'esbuild';
import { minify } from 'terser';

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

/**
 * graphql-ws explains each malformed message of a server in a sentence for programmers, which nobody reads in an element; a
 * server whose messages are malformed is no Routiq server.
 */
const withoutExplanations = {
  name: 'without-explanations',
  setup({ onLoad }) {
    onLoad({ filter: /\/graphql-ws\/dist\/common-\w+\.js$/ }, async ({ path }) => {
      const code = await readFile(path, 'utf8');
      const contents = code.replace(/^function validateMessage\(val\) \{$.*?^\}$/ms, 'const validateMessage = (val) => val;');
      if (contents === code) throw new Error(`${path} has no validateMessage any more.`);
      return { contents, loader: 'js' };
    });
  },
};

/** The script with the element. */
export async function elementBundle() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('src/element/index.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    plugins: [inlineStyles, withoutIndentation, withoutDetails, withoutExplanations],
    write: false,
  });
  const { code } = await minify(outputFiles[0].text, {
    ecma: 2022,
    module: true,
    compress: { passes: 3 },
    format: { comments: /@license/ },
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
  return `// Generated from ../client/src/words/ by build-element.mjs: the labels, with their English texts.\n\nexport interface AllLabels {\n${rows.join('\n')}\n}\n\nexport type LabelName = keyof AllLabels;\n`;
}

for (const [name, make] of [['routiq-sync.js', elementBundle], ['labels.d.ts', elementLabels]]) {
  const path = fileURLToPath(new URL(`../element/${name}`, import.meta.url));
  const made = await make();
  if (!process.argv.includes('--check')) await writeFile(path, made);
  else if ((await readFile(path, 'utf8')) !== made) {
    console.error(`examples/element/${name} is not what its sources give. Run: node build-element.mjs`);
    process.exitCode = 1;
  }
}
