import type { Setting } from '../../../internal/admin/setting.ts';
import { shownAddress } from '../../../internal/lib/shown-address.ts';
import { placesOf, shownPlace } from './file/keys.ts';
import type { Option, OptionTable } from './option.ts';
import type { Parsed } from './parse-program.ts';
import type { Program } from './program.ts';

/** What holds of the options of a program, each with where it comes from. */
export function settingsOf<Table extends OptionTable>(
  program: Program<Table>,
  { texts, origins }: Pick<Parsed<Table>, 'texts' | 'origins'>,
): Setting[] {
  return placesOf(program).map((place) => {
    const { name: flag } = place;
    const option = program.options[flag];
    const { kind, at } = origins.get(flag) ?? { kind: 'default', at: '' };
    const value = shownSetting(option, texts.get(flag));
    return { name: shownPlace(place), flag, value, from: kind, at, isLive: option.isLive };
  });
}

function shownSetting(
  { isList, isSwitch, defaultText }: Option<unknown>,
  texts: readonly string[] | undefined,
): Setting['value'] {
  if (isList) return (texts ?? []).map(shownValue);
  if (texts !== undefined) return shownValue(texts.at(-1)!);
  return defaultText ?? (isSwitch ? 'false' : null);
}

/** An address may have a password in it. */
function shownValue(text: string): string {
  return text.includes('://') ? shownAddress(text) : text;
}
