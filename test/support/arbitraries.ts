import fc from 'fast-check';
import { filterProblem } from '../../internal/topic.ts';

const level = fc.constantFrom('', 'a', 'b', 'c', '$x', '$SYS');

/** Topics out of few levels, so that filters often match them. */
export const anyTopic = fc
  .array(level, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((topic) => topic !== '');

/** Filters of the same few levels, with wildcards. */
export const anyFilter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([levels, hasRest]) => [...levels, ...(hasRest ? ['#'] : [])].join('/'))
  .filter((filter) => filterProblem(filter) === undefined);
