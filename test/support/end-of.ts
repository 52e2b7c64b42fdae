/** What a generator returns at its end; what it yields before is passed over. */
export async function endOf<T>(generator: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const { done, value } = await generator.next();
    if (done) return value;
  }
}
