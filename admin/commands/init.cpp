// `mailstead init`: from nothing to a mail server.
#include "admin/dns_facts.h"
#include "admin/installation.h"
#include "admin/output.h"
#include "admin/password.h"
#include "admin/workspace.h"
#include "common/base/text.h"

namespace mailstead::admin {
namespace {

Outcome<Installation> plan(const Arguments& arguments, const Domain& domain) {
    const std::string& wanted = arguments.one("--hostname");
    TRY(hostname, parse_domain(wanted.empty() ? "mail." + domain.ascii() : wanted));
    std::filesystem::path folder = arguments.one("--dir");
    if (!folder.empty()) folder = std::filesystem::absolute(folder).lexically_normal();
    if (folder.has_parent_path() && folder.filename().empty()) folder = folder.parent_path();
    if (arguments.has("--local")) {
        if (folder.empty()) folder = std::filesystem::absolute("local");
        return Installation::local(folder, hostname);
    }
    return folder.empty() ? Installation::production(hostname)
                          : Installation::production_in(folder, hostname);
}

// Finds what an interrupted init made already.
Outcome<AccountId> add_first_account(directory::Editor& editor, const Address& address) {
    TRY(has_domain, editor.has_domain(address.domain()));
    if (!has_domain) TRY_VOID(editor.add_domain(address.domain(), {}));
    TRY(account, editor.find_by_login(address.key()));
    if (account) return account->id;
    TRY(id, editor.add_account({address, "", {}, {}}));
    return id;
}

Outcome<> add_first_key(directory::CredentialsEditor& credentials, const Domain& domain) {
    TRY(keys, credentials.dkim_keys(domain));
    if (!keys.empty()) return {};
    TRY(key, make_dkim_key(credentials, domain, directory::DkimState::signing));
    TRY_VOID(credentials.put_dkim_key(key));
    return {};
}

std::string_view protocol_of(settings::Service service) {
    switch (service) {
        case settings::Service::imap:
            return "IMAP";
        case settings::Service::pop3:
            return "POP3";
        default:
            return "SMTP";
    }
}

std::string client_settings(const settings::Settings& settings, const Address& address) {
    std::string out = "Mail programs log in as " + address.unicode() + " at\n";
    for (const settings::Listener& listener : settings.listeners) {
        if (listener.service == settings::Service::smtp) continue;
        const bool implicit = listener.tls == settings::TlsMode::implicit;
        const bool loopback = listener.address.ip == "127.0.0.1";
        out += "  " + std::string(protocol_of(listener.service)) + "  " +
               (loopback ? "localhost" : settings.hostname.ascii()) + " port " +
               std::to_string(listener.address.port) + (implicit ? " (TLS)" : " (STARTTLS)") + '\n';
    }
    return out;
}

std::string next_steps(const Installation& installation) {
    const std::string file = installation.config_file.string();
    std::string out = "\n";
    if (installation.purpose == Purpose::local) {
        out +=
            "The certificate is from a certification authority made for this folder; programs trust it "
            "with " +
            installation.ca.string() + "\n";
        return out + "Next: mailstead -c " + file + " serve\n";
    }
    out +=
        "The certificate is SELF-SIGNED: other servers take it, mail programs will warn. Put a real one "
        "(with its chain) into\n  " +
        installation.certificate.string() + "\nand its key into\n  " + installation.key.string() +
        "\nThe daemons notice by themselves.\n";
    out += "The machine's PTR record, at whoever gave you its address, should say " +
           installation.hostname.ascii() + "\n";
    if (installation.user.empty()) return out + "Next: mailstead -c " + file + " serve\n";
    return out + "Next: systemctl enable --now mailstead.target\n";
}

Outcome<> lay_out(const Installation& installation) {
    settings::Settings settings;
    settings.user = installation.user;
    TRY_VOID(make_users(runtime::user_names(settings), installation.data_dir));
    TRY_VOID(make_folders(installation));
    TRY_VOID(make_certificates(installation));
    return check_readable(installation);
}

Outcome<> fill(const Installation& installation, const Address& address, const Secret& password) {
    TRY_VOID(lay_out_data(installation));
    TRY(editor, directory::edit_directory(installation.data_dir));
    TRY(credentials, directory::edit_credentials(installation.data_dir));
    TRY(account, add_first_account(*editor, address));
    TRY_VOID(credentials->set_password(account, password));
    TRY_VOID(add_first_key(*credentials, address.domain()));
    return {};
}

Outcome<> say_what_is_next(const Installation& installation, const Address& address) {
    const auto settings = settings::load(installation.config_file);
    if (!settings) return Failure(settings.error());
    TRY_VOID(act_as_owner(*settings));
    TRY(credentials, open_credentials_editor(*settings));
    TRY(records, records_of(*settings, *credentials, address.domain()));
    print("Mailstead is set up: " + installation.config_file.string() + "\n\n");
    print("DNS records to publish for " + address.domain().unicode() +
          " (again with `mailstead dns records " + address.domain().unicode() + "`):\n\n" +
          mailauth::render_table(records) + '\n');
    print(client_settings(*settings, address) + next_steps(installation));
    return {};
}

Outcome<> run_init(const Arguments& arguments) {
    TRY(address, parse_address(arguments.one("ADDRESS")));
    if (address.domain().is_literal())
        return Failure(EX_DATAERR, "an address at a domain is needed, such as you@example.org");
    TRY(installation, plan(arguments, address.domain()));
    TRY_VOID(check_not_set_up(installation));
    TRY(password, read_new_password(arguments, address.unicode()));
    TRY_VOID(lay_out(installation));
    TRY_VOID(as_owner(installation, [&] { return fill(installation, address, password); }));
    TRY_VOID(write_settings(installation));
    return say_what_is_next(installation, address);
}

}  // namespace

CommandGroup init_commands() {
    return {"",
            "",
            {{"init",
              "Set Mailstead up: configuration, keys, certificate, your domain and your account",
              {{"ADDRESS", Takes::one, "Your mail address: you@example.org"},
               {"--dir", Takes::option,
                "The folder for everything (default: /etc/mailstead and /var/lib/mailstead; with --local "
                "./local)"},
               {"--hostname", Takes::option, "This machine's name (default: mail.DOMAIN)"},
               {"--local", Takes::flag,
                "For trying it out: high ports on 127.0.0.1, a private certification authority"},
               kPasswordStdin},
              &run_init,
              As::caller}}};
}

}  // namespace mailstead::admin
