import { stripVTControlCharacters } from 'node:util';
import { Failure } from '../../internal/lib/failure.ts';

const NO_PASSWORD = 'no password was given';
const ENTER = ['\r', '\n'];
const BACKSPACE = ['\x7f', '\b'];
/** Control-C and control-D. */
const END = ['\x03', '\x04'];
/** Control-U. */
const ERASE_LINE = '\x15';
const CONTROL_CHARACTER = /\p{Cc}/u;

/**
 * Asks for a password on the terminal, which does not show what is typed. What was pasted behind the end of the line is
 * left for the next question. The terminal is as before when the promise settles, however that is.
 *
 * @param stop ends the question.
 * @throws Failure where nobody answers, or the reason of the signal.
 */
export function askPassword(prompt: string, stop: AbortSignal): Promise<string> {
  const { stdin, stderr } = process;
  // Whoever sees the prompt may type: from here on nothing is shown.
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stderr.write(prompt);
  return new Promise<string>((resolve, reject) => {
    let typed = '';
    const take = (text: string) => {
      const characters = [...stripVTControlCharacters(text)];
      for (const [index, character] of characters.entries()) {
        if (ENTER.includes(character)) {
          const rest = characters.slice(index + 1).join('');
          end(() => resolve(typed));
          if (rest !== '') stdin.unshift(rest);
          return;
        }
        if (END.includes(character)) return giveUp();
        typed = afterKey(typed, character);
      }
    };
    const giveUp = () => end(() => reject(new Failure(NO_PASSWORD)));
    const onStop = () => end(() => reject(stop.reason));
    const end = (act: () => void) => {
      stdin.off('data', take).off('end', giveUp);
      stop.removeEventListener('abort', onStop);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      act();
    };
    stop.addEventListener('abort', onStop, { once: true });
    stdin.on('data', take).once('end', giveUp);
    stdin.resume();
    if (stop.aborted) onStop();
  });
}

/** The line as it is after another key. */
function afterKey(typed: string, key: string): string {
  if (BACKSPACE.includes(key)) return [...typed].slice(0, -1).join('');
  if (key === ERASE_LINE) return '';
  return CONTROL_CHARACTER.test(key) ? typed : typed + key;
}
