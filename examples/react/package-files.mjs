// The files of the package that no compiler writes: its styles, and declarations that every app can resolve. Runs after both
// compilers, as part of `npm run package`. No tool bundles the declarations of TypeScript 7 on Node.js 20.

import { copyFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

copyFileSync('src/SyncDashboard.css', 'dist/style.css'); // unchanged: compilers for older browsers replace light-dark()
writeFileSync('dist/style.css.d.ts', 'export {};\n');

const RELATIVE = /(\b(?:from |import\())(['"])(\..*?)(?:\.[jt]s)?\2/g;

// Apps with `moduleResolution: nodenext` need the whole name of a file, and all others accept it.
for (const name of readdirSync('dist/types', { recursive: true }).filter((one) => one.endsWith('.d.ts'))) {
  const file = join('dist/types', name);
  const fileOf = (path) => (existsSync(join(dirname(file), `${path}.d.ts`)) ? `${path}.js` : `${path}/index.js`);
  writeFileSync(file, readFileSync(file, 'utf8').replace(RELATIVE, (_, before, quote, path) => before + quote + fileOf(path) + quote));
}
