/* Accounts and catalogues. */
#include "ratecards/model.h"

#include <assert.h>

static const char *const account_keys[] = {"id",      "name",     "currency",   "catalogue",
                                           "billing", "timezone", "terms_days", "email",
                                           "tax",     "projects"};

#define TERMS_DAYS_DEFAULT 30
#define TERMS_DAYS_MAX     3650

static void emails_check(struct reader *reader, const struct node *place,
                         const struct slice *emails, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *at = memchr(emails[i].data, '@', emails[i].length);
        bool good = at && at != emails[i].data && at + 1 != emails[i].data + emails[i].length &&
                    !memchr(emails[i].data, ' ', emails[i].length);
        if (!good)
            reader_problem(reader, place, "`%.*s` is no e-mail address: write name@host",
                           (int)emails[i].length, emails[i].data);
    }
}

void form_emails(const struct form *form, const struct slice **ret, uint32_t *ret_count)
{
    if (form_ids(form, "email", FORM_OPTIONAL, ret, ret_count))
        emails_check(form->reader, form_place(form, "email"), *ret, *ret_count);
}

bool form_country(const struct form *form, enum form_need need, struct slice *ret)
{
    struct slice country;
    if (!form_id(form, "country", need, &country))
        return false;
    bool letters = country.length == 2 && country.data[0] >= 'A' && country.data[0] <= 'Z' &&
                   country.data[1] >= 'A' && country.data[1] <= 'Z';
    if (!letters) {
        reader_problem(
            form->reader, form_place(form, "country"),
            "`country: %.*s` is not known: write the two capital letters of ISO 3166, such as DE",
            (int)country.length, country.data);
        return false;
    }
    *ret = country;
    return true;
}

static void account_tax_read(const struct form *form, struct account_item *account)
{
    static const char *const keys[] = {"country", "id", "class"};
    const struct node *node = node_value(form->map, "tax");
    struct form tax;
    if (!node || !form_init(&tax, form->reader, node, "tax entry", keys, COUNT_OF(keys)))
        return;
    (void)form_country(&tax, FORM_REQUIRED, &account->tax_country);
    (void)form_id(&tax, "id", FORM_OPTIONAL, &account->tax_id);
    (void)form_name(&tax, "class", FORM_OPTIONAL, &account->tax_class);
}

static void account_read(struct reader *reader, const struct node *node,
                         struct account_item *account)
{
    static const char *const billing_names[] = {"postpaid", "prepaid"};
    struct form form;
    *account = (struct account_item){.timezone = SLICE("UTC"),
                                     .terms_days = TERMS_DAYS_DEFAULT,
                                     .line = node->line,
                                     .column = node->column};
    if (!form_init(&form, reader, node, "account", account_keys, COUNT_OF(account_keys)))
        return;
    (void)form_id(&form, "id", FORM_REQUIRED, &account->id);
    account->name = account->id;
    (void)form_text(&form, "name", FORM_OPTIONAL, &account->name);
    (void)form_currency(&form, "currency", FORM_REQUIRED, &account->currency);
    (void)form_name(&form, "catalogue", FORM_REQUIRED, &account->catalogue);
    size_t billing;
    if (form_choice(&form, "billing", FORM_OPTIONAL, billing_names, COUNT_OF(billing_names),
                    &billing))
        account->billing = (enum billing_mode)billing;
    (void)form_zone(&form, "timezone", FORM_OPTIONAL, &account->timezone);
    (void)form_integer(&form, "terms_days", FORM_OPTIONAL, 0, TERMS_DAYS_MAX, &account->terms_days);
    form_emails(&form, &account->emails, &account->email_count);
    account_tax_read(&form, account);
    (void)form_ids(&form, "projects", FORM_OPTIONAL, &account->projects, &account->project_count);
}

/* One id, one payer: an account's own id and its projects' ids are looked up in one place when
 * usage comes in. */
static void payers_check(struct reader *reader, const struct account_item *accounts, uint32_t count)
{
    struct arena scratch;
    struct key_map seen;
    arena_init(&scratch);
    key_map_init(&seen, &scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct account_item *account = &accounts[i];
        for (uint32_t j = 0; j <= account->project_count; j++) {
            struct slice id = j == 0 ? account->id : account->projects[j - 1];
            uint32_t other = id.length ? key_map_find(&seen, 0, id) : i;
            if (id.length && other == KEY_NONE)
                (void)key_map_put(&seen, 0, id, i);
            else if (id.length)
                problems_add(reader->problems, reader->file, account->line, account->column,
                             "the %s `%.*s` is already at the account at line %u: one id can have "
                             "one payer only",
                             j == 0 ? "id" : "project", (int)id.length, id.data,
                             accounts[other].line);
        }
    }
    arena_fini(&scratch);
}

bool accounts_read(struct reader *reader, const struct node *node, struct document *ret)
{
    static const char *const keys[] = {"kind", "accounts"};
    struct form form;
    if (!form_init(&form, reader, node, "list of accounts", keys, COUNT_OF(keys)))
        return false;
    const struct node *list = form_list(&form, "accounts", FORM_REQUIRED);
    if (!list)
        return false;
    ret->accounts = arena_alloc(reader->arena, (size_t)list->count * sizeof *ret->accounts);
    ret->count = 0;
    for (const struct node *item = list->first; item; item = item->next)
        account_read(reader, item, &ret->accounts[ret->count++]);
    payers_check(reader, ret->accounts, ret->count);
    return true;
}

bool catalogue_read(struct reader *reader, const struct node *node, struct document *ret)
{
    static const char *const keys[] = {"kind", "name", "ratecard", "currency"};
    struct form form;
    if (!form_init(&form, reader, node, "catalogue", keys, COUNT_OF(keys)))
        return false;
    struct catalogue_item *catalogue = arena_alloc(reader->arena, sizeof *catalogue);
    catalogue->line = node->line;
    catalogue->column = node->column;
    bool good = form_name(&form, "name", FORM_REQUIRED, &catalogue->name);
    good = form_name(&form, "ratecard", FORM_REQUIRED, &catalogue->ratecard) && good;
    (void)form_currency(&form, "currency", FORM_OPTIONAL, &catalogue->currency);
    ret->catalogue = catalogue;
    ret->count = 1;
    return good;
}
