/** `make single-file`: the programs as one file, for this machine or with the Node.js of another one. */
import { buildSingleFile } from './build-single-file.ts';

const [target, runtime = process.execPath] = process.argv.slice(2);
if (target === undefined) throw new Error('usage: single-file.ts FOLDER [NODE]');
await buildSingleFile(target, runtime);
