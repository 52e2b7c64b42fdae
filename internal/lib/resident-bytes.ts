/** Memory of the process. NaN where it may open no more files, because the system tells it in one. */
export function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return Number.NaN;
  }
}
