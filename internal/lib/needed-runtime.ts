import { runtimeProblem } from './runtime.ts';

/**
 * The first import of what an app imports in Node: an older runtime is refused here, before anything half works.
 *
 * @throws Error when it is loaded by such a runtime.
 */
const problem = runtimeProblem(process.versions.node);
if (problem !== undefined) throw new Error(`tinymq ${problem}`);
