import type * as Sqlite from 'node:sqlite';

/**
 * Node's SQLite, without the warning of Node 22 that it is experimental: an app that uses tinymq has not asked for it. Undefined where
 * the runtime has none.
 */
export function quietSqlite(): typeof Sqlite | undefined {
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...more: unknown[]) => {
    if (!String(warning).startsWith('SQLite is an experimental feature'))
      Reflect.apply(emitWarning, process, [warning, ...more]);
  };
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}
