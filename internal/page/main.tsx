import { render } from 'preact';
import { App } from './app.tsx';
import { applyTheme, chosenTheme } from './lib/theme.ts';
import './style/page.css';

applyTheme(chosenTheme());
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
