// Bundles what is committed: the page as one self-contained file. `node build.mjs` writes, `node build.mjs --check` fails
// if a committed bundle is not what its sources give.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { elementBundle, elementLabels } from './build-element.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const read = (path) => readFileSync(at(path), 'utf8');

// In this order: later rules win.
const STYLES = ['base', 'layout', 'sync', 'log', 'side', 'history', 'opened', 'patients', 'live', 'narrow'];

async function bundled(entry, options) {
  const { outputFiles } = await build({
    entryPoints: [at(entry)],
    bundle: true,
    write: false,
    charset: 'utf8',
    target: 'es2022',
    legalComments: 'inline',
    ...options,
  });
  return outputFiles[0].text.replace(/^ *\*.*https?:\/\/.*\n/gm, ''); // a library's comment; the page names no other site
}

async function page() {
  const known = readdirSync(at('src/page/styles')).map((name) => name.replace('.css', ''));
  const missing = known.filter((name) => !STYLES.includes(name));
  if (missing.length) throw new Error(`Styles without a place in build.mjs: ${missing}`);
  const styles = STYLES.map((name) => read(`src/page/styles/${name}.css`)).join('\n');
  const script = await bundled('src/page/main.ts', { format: 'iife' });
  return read('src/page/page.html')
    .replace('/* styles */\n', () => styles)
    .replace('/* script */\n', () => script);
}

const resume = () => bundled('src/resume/index.ts', { format: 'esm' });

const BUNDLES = [
  ['../sync_dashboard.html', page],
  ['../element/routiq-sync.js', elementBundle],
  ['../element/labels.d.ts', elementLabels],
  ['../element/resume.js', resume],
];

const isCheck = process.argv.includes('--check');
for (const [path, make] of BUNDLES) {
  const made = await make();
  if (!isCheck) writeFileSync(at(path), made);
  else if (read(path) !== made) {
    console.error(`${path.replace('../', 'examples/')} is not what its sources give. Run: make bundles`);
    process.exitCode = 1;
  }
}
