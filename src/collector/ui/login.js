// SPDX-License-Identifier: GPL-2.0-or-later
// What stands in a page's place until somebody has logged in.
import { Component } from 'preact';
import { login } from './link.js';
import { html, Shape } from './parts.js';

export class Login extends Component {
	constructor()
	{
		super();
		this.state = { busy: false, said: '' };
		this.on_submit = (e) => {
			e.preventDefault();
			this.send(e.currentTarget);
		};
	}

	componentDidMount()
	{
		this.form.elements.user.focus();
	}

	async send(form)
	{
		const { user, password } = form.elements;

		this.setState({ busy: true, said: '' });
		try {
			await login(user.value, password.value);
		} catch (e) {
			this.setState({ busy: false, said: e.status === 401 ? 'The name or the password is wrong.' : e.status ? `${e.message}.` : 'The collector does not answer.' });
			password.select();
		}
	}

	render(_, { busy, said })
	{
		return html`<main class="login"><section class="panel" aria-labelledby="login-h"><header><h2 id="login-h">Log in</h2></header>
			<form onsubmit=${this.on_submit} ref=${(e) => { this.form = e; }}>
				<label>Name<input type="text" name="user" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="64" /></label>
				<label>Password<input type="password" name="password" autocomplete="current-password" required maxlength="256" /></label>
				<p class="said" role="alert">${said && html`<span class="mark bad"><${Shape} name="cross" />${said}</span>`}</p>
				<button type="submit" class="main" disabled=${busy}>${busy ? 'Asking' : 'Log in'}</button>
			</form></section></main>`;
	}
}
