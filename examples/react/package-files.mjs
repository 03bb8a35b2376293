// The files of the package that no compiler writes: its styles, and declarations that every app can resolve. Runs after both
// compilers, as part of `npm run package`. No tool bundles the declarations of TypeScript 7 on Node.js 20.

import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

copyFileSync('src/SyncDashboard.css', 'dist/style.css'); // unchanged: compilers for older browsers replace light-dark()
writeFileSync('dist/style.css.d.ts', 'export {};\n');

const RELATIVE = /(\b(?:from|import\()\s*')(\.[^']*?)(?:\.[jt]s)?'/g;

// Apps with `moduleResolution: nodenext` need the extension, and all others accept it.
for (const name of readdirSync('dist/types', { recursive: true }).filter((one) => one.endsWith('.d.ts'))) {
  const file = join('dist/types', name);
  writeFileSync(file, readFileSync(file, 'utf8').replace(RELATIVE, "$1$2.js'"));
}
