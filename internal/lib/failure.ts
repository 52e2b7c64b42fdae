/** Something failed; its message is all that the user needs to see. Programs end with exit code 1. */
export class Failure extends Error {
  override readonly name = 'Failure';
}
